"""A build that was stopped, at any moment and in any way, ends in the same bytes as one that was not."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from glob import glob
from pathlib import Path

import datasets
import pytest

from builder.pipeline.build import build
from builder.pipeline.build_folder import BuildFolder
from builder.pipeline.finalize import reselect
from mycanvas.errors import ConfigError, StoreError
from tests.contracts.small_builds import KILLED, SAMPLES, SIDE, but_where, bytes_of, config_for


def test_several_workers_write_the_bytes_of_one(shapes: Path, grounds: Path, whole: Path, tmp_path: Path) -> None:
    build(config_for(shapes, grounds, tmp_path / "out", workers=2))

    assert but_where(bytes_of(tmp_path / "out")) == but_where(bytes_of(whole))


def test_every_planned_scene_is_there_once(shapes: Path, grounds: Path, tmp_path: Path) -> None:
    settings = {"sizes": [2], "samples": 10, "shard_size": 3, "select": {"attempts": 1}}
    build(config_for(shapes, grounds, tmp_path / "out", workers=2, **settings))
    build(config_for(shapes, grounds, tmp_path / "out", workers=2, **{**settings, "samples": 14}))

    folder = BuildFolder(tmp_path / "out")
    planned = [name for batch in folder.plan().columns("id") for name in batch.column("id").to_pylist()]
    made = [row["id"] for shard, _ in folder.markers() for row in folder.candidates(shard, ["id"])]
    assert made == planned
    assert len(set(made)) == 14


MOMENTS = (
    ("open", ".build/lock"),
    ("open", ".build/.build.json.*"),
    ("os.rename", ".build/build.json"),
    ("os.rename", ".build/cutouts/*.mask.png"),
    ("open", ".build/candidates/.00000.arrow.*"),
    ("os.rename", ".build/candidates/00001.arrow"),
    ("open", ".build/candidates/.00003.json.*"),
    ("os.rename", ".build/shards/SHARD"),
    ("os.rename", "data/objects_le3*"),
    ("os.link", "data/.objects_4*"),
    ("os.rename", "README.md"),
)
"""Where builds are killed, in turn: before a file is opened for writing, made as a link, or renamed from its temporary
name (the first path below the output that matches). SHARD: the name of a whole shard."""


def test_build_killed_at_every_step_ends_in_the_same_bytes(
    shapes: Path, grounds: Path, whole: Path, tmp_path: Path
) -> None:
    output, settings = tmp_path / "out", tmp_path / "build.toml"
    settings.write_text("shard_size = 4\n")
    arguments = ["build", settings, "--concepts", shapes, "--backgrounds", grounds, "--output", output]
    arguments += ["--samples", SAMPLES, "--resolution", SIDE, "--workers", 1]
    shard = min(file.name for file in (whole / ".build" / "shards").iterdir())
    moments = [(event, pattern.replace("SHARD", shard)) for event, pattern in MOMENTS]
    program = json.dumps([moments, *map(str, [output, *arguments])])

    killed = subprocess.run([sys.executable, "-c", KILLED, program], capture_output=True, text=True, check=False)
    build(config_for(shapes, grounds, output))

    assert killed.returncode == 0, killed.stderr
    assert json.loads(killed.stdout.splitlines()[-1]) == [-signal.SIGKILL] * len(MOMENTS)
    assert but_where(bytes_of(output)) == but_where(bytes_of(whole))


def test_a_damaged_shard_is_made_again(shapes: Path, grounds: Path, whole: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    build(config_for(shapes, grounds, output))
    shard = output / ".build" / "candidates" / "00002.arrow"
    shard.write_bytes(shard.read_bytes()[:-100])

    build(config_for(shapes, grounds, output))

    assert but_where(bytes_of(output)) == but_where(bytes_of(whole))


DAMAGED = ("README.md", "data/*.arrow", "concepts/*.arrow", ".build/plan/*.json", ".build/selected.json")
PLANS = (".build/plan/*.arrow", ".build/plan/*", ".build/candidates/00001.scores.arrow")
ALSO = (".build/sources.json", ".build/config.json", ".build/candidates/00001.json")
PREPARED = (".build/cutouts/*.json", ".build/cutouts/*.npy", ".build/cutouts/*.png", ".build/cutouts/*.jpg")


@pytest.mark.parametrize("flaw", ["gone", "cut short"])
@pytest.mark.parametrize("pattern", [*DAMAGED, *ALSO, *PREPARED, *PLANS])
def test_lost_or_damaged_file_is_restored_by_the_same_build(
    shapes: Path, grounds: Path, whole: Path, tmp_path: Path, pattern: str, flaw: str
) -> None:
    output = Path(shutil.copytree(whole, tmp_path / "out"))
    build(config_for(shapes, grounds, output))
    before = bytes_of(output)
    for file in output.glob(pattern):
        file.write_bytes(file.read_bytes()[:-20])
        if flaw == "gone":
            file.unlink()

    build(config_for(shapes, grounds, output))

    edited = {"README.edited.md"} if (pattern, flaw) == ("README.md", "cut short") else set()
    after = bytes_of(output)
    assert after.keys() - before.keys() <= edited
    assert {name: digest for name, digest in after.items() if name not in edited} == before or edited


def test_damaged_request_is_restored_by_the_same_build_only(
    shapes: Path, grounds: Path, whole: Path, tmp_path: Path
) -> None:
    output = Path(shutil.copytree(whole, tmp_path / "out"))
    before = bytes_of(output)
    request = output / ".build" / "build.json"
    request.write_bytes(request.read_bytes().replace(b"ball", b"bell"))

    with pytest.raises(StoreError, match="was 0, now 7"):  # the plan has the request too
        build(config_for(shapes, grounds, output, seed=7))
    build(config_for(shapes, grounds, output))

    assert but_where(bytes_of(output)) == but_where(before)


def test_changed_attribution_is_written_to_the_photos_and_the_card(
    shapes: Path, grounds: Path, whole: Path, tmp_path: Path
) -> None:
    output, credited = Path(shutil.copytree(whole, tmp_path / "out")), shutil.copytree(shapes, tmp_path / "shapes")
    for number, maker in enumerate(("Jo, CC0-1.0", "Ida, CC-BY-4.0")):
        (credited / "ball" / "ATTRIBUTION").write_text(maker)
        build(config_for(credited, grounds, output))

        photos = datasets.load_dataset("mycanvas", "concepts", data_dir=str(output), split="train")
        stated = {
            row["attribution"] for row in photos.select_columns(["concept", "attribution"]) if row["concept"] == "ball"
        }
        assert stated == {maker}
        assert maker.split(",")[0] in (output / "README.md").read_text()
        assert not list(output.glob("README.edited*")), number


def test_changed_attribution_of_a_background_is_written_to_the_card(
    shapes: Path, grounds: Path, whole: Path, tmp_path: Path
) -> None:
    output, credited = Path(shutil.copytree(whole, tmp_path / "out")), shutil.copytree(grounds, tmp_path / "grounds")
    (credited / "yard" / "ATTRIBUTION").write_text("Jo, CC0-1.0")

    build(config_for(shapes, credited, output))

    assert "Jo, CC0-1.0" in (output / "README.md").read_text()


@pytest.mark.parametrize("content", [None, b"", b"{", b"\xff\xfe\x00", b"null\n", b'{"checksum": "x"}\n'])
def test_a_plan_that_is_damaged_or_gone_is_named_by_select(whole: Path, tmp_path: Path, content: bytes | None) -> None:
    plan = Path(shutil.copytree(whole, tmp_path / "out")) / ".build" / "plan" / "00000.json"
    plan.unlink()
    if content is not None:
        plan.write_bytes(content)

    with pytest.raises(StoreError, match=r"(00000\.json is damaged|plan lacks \d+ of the scenes made); run the same"):
        reselect(tmp_path / "out", {"min_visible": 0.1})


def test_another_configuration_is_refused_even_if_the_plan_is_gone(
    shapes: Path, grounds: Path, whole: Path, tmp_path: Path
) -> None:
    output = Path(shutil.copytree(whole, tmp_path / "out"))
    shutil.rmtree(output / ".build" / "plan")

    with pytest.raises(StoreError, match="was 0, now 7"):
        build(config_for(shapes, grounds, output, seed=7))


def test_finished_shards_are_not_rewritten(shapes: Path, grounds: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    build(config_for(shapes, grounds, output))
    before = {path: path.stat().st_mtime_ns for path in (output / ".build" / "candidates").iterdir()}

    build(config_for(shapes, grounds, output))

    assert {path: path.stat().st_mtime_ns for path in (output / ".build" / "candidates").iterdir()} == before


def test_another_configuration_is_refused_and_says_what_changed(shapes: Path, grounds: Path, whole: Path) -> None:
    before = bytes_of(whole)

    with pytest.raises(StoreError) as refused:
        build(config_for(shapes, grounds, whole, seed=7, layout={"max_overlap": 0.1}))

    assert "seed" in str(refused.value)
    assert "was 0, now 7" in str(refused.value)
    assert "layout.max_overlap" in str(refused.value)
    assert bytes_of(whole) == before


def test_corrected_configuration_builds_in_the_same_folder(shapes: Path, grounds: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="did you mean ring"):
        build(config_for(shapes, grounds, tmp_path / "out", compositions=[["ball", "ringg"]]))

    build(config_for(shapes, grounds, tmp_path / "out", compositions=[["ball", "ring"]]))

    assert list((tmp_path / "out" / "data").iterdir())


def test_workers_end_when_their_parent_is_killed(shapes: Path, grounds: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "builder", "build", "--concepts", str(shapes), "--backgrounds", str(grounds)]
    command += ["--output", str(tmp_path / "out"), "--samples", "400", "--resolution", "256", "--workers", "2"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL)
    while process.poll() is None and not glob(str(tmp_path / "out/.build/candidates/*.json")):
        time.sleep(0.01)

    process.kill()

    # Workers hold the pipe open for as long as they live.
    process.communicate(timeout=120)  # seconds; only a guard against a hang
    assert process.returncode == -signal.SIGKILL


def test_a_listed_composition_twice_is_refused(shapes: Path, grounds: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="listed 2 times"):
        build(config_for(shapes, grounds, tmp_path / "out", compositions=[["ball", "ring"], ["ring", "ball"]]))


FIRST_MOMENTS = (".build", ".build/lock", f".build/.build.json.{'0f' * 8}.unfinished")


@pytest.mark.parametrize("left", [FIRST_MOMENTS[:1], FIRST_MOMENTS[:2], FIRST_MOMENTS])
def test_build_that_was_killed_in_its_first_moments_starts_again(
    shapes: Path, grounds: Path, whole: Path, tmp_path: Path, left: tuple[str, ...]
) -> None:
    output = tmp_path / "out"
    (output / ".build").mkdir(parents=True)
    for name in left[1:]:
        (output / name).touch()

    build(config_for(shapes, grounds, output))

    assert but_where(bytes_of(output)) == but_where(bytes_of(whole))
