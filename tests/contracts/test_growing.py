"""A finished build is given more: what exists keeps its ids and its bytes, and only what is new is made."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from math import ceil
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pytest
from PIL import Image

from builder.config import BuildConfig, parse_config
from builder.pipeline.build import build
from builder.pipeline.build_folder import BuildFolder
from builder.pipeline.finalize import reselect
from builder.pipeline.keep import SPARE, make_until_kept
from builder.pipeline.plan import Plan, scene_of
from mycanvas.dataset import planned_splits
from mycanvas.errors import StoreError
from tests.conftest import draw_shape
from tests.contracts.small_builds import KILLED, SIDE, TIGHT, but_where, bytes_of, config_for

FEW, MORE = 12, 24
SCENES = ".build/candidates/00000.arrow"
LOOSE = {"max_border": 1.0, "min_visible": 0.5, "duplicate_bits": -1}


@pytest.fixture(scope="module")
def photos(shapes: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three concepts of two photos."""
    folder = tmp_path_factory.mktemp("photos")
    for name in ("ball", "box", "ring"):
        shutil.copytree(shapes / name, folder / name)
    return folder


@pytest.fixture(scope="module")
def more_photos(photos: Path, shapes: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with a concept and three photos more."""
    folder = Path(shutil.copytree(photos, tmp_path_factory.mktemp("more") / "photos"))
    shutil.copytree(shapes / "cone", folder / "cone")
    for kind, name in enumerate(("ball", "box", "ring")):
        draw_shape(folder / name / "new.png", kind, 7)
    return folder


@pytest.fixture(scope="module")
def more_grounds(grounds: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The backgrounds with one more, of another scene."""
    folder = Path(shutil.copytree(grounds, tmp_path_factory.mktemp("more") / "grounds"))
    (folder / "beach").mkdir()
    draw_ground(folder / "beach" / "a.png")
    return folder


def draw_ground(file: Path) -> None:
    rows = np.linspace(0, 1, 320)[:, None, None]
    picture = np.where(rows < 0.4, (200, 220, 240), (210, 190, 150)) + np.random.default_rng(5).normal(
        0, 8, (320, 400, 1)
    )
    Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8)).save(file)


@pytest.fixture(scope="module")
def few(photos: Path, grounds: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished build of few scenes; a test that changes it copies it first."""
    output = tmp_path_factory.mktemp("few") / "out"
    build(config_for(photos, grounds, output, samples=FEW, select=LOOSE))
    return output


@pytest.fixture
def copy(few: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(few, tmp_path / "out"))


def candidates(output: Path) -> dict[str, dict[str, Any]]:
    folder = BuildFolder(output)
    return {row["id"]: row for index, _ in folder.markers() for row in folder.candidates(index)}


def rows(output: Path) -> dict[str, dict[str, Any]]:
    """The rows of the dataset, with encoded pictures."""
    loaded = datasets.load_dataset("mycanvas", "all", data_dir=str(output), split="train")
    for name in ("image", "mask"):
        loaded = loaded.cast_column(name, datasets.Image(decode=False))
    return {row["id"]: row for row in loaded}


def made_files(output: Path) -> dict[str, str]:
    return {name: digest for name, digest in bytes_of(output).items() if name.startswith(".build/candidates/")}


def test_earlier_scenes_keep_their_ids_and_bytes_when_everything_grows(
    copy: Path, more_photos: Path, more_grounds: Path
) -> None:
    files, before, earlier = made_files(copy), candidates(copy), rows(copy)

    build(config_for(more_photos, more_grounds, copy, samples=MORE, select=LOOSE))

    after, now = candidates(copy), rows(copy)
    assert files.items() <= made_files(copy).items()
    assert list(after)[: len(before)] == list(before)
    assert earlier.items() <= now.items()
    assert len({scene_of(name) for name in after}) == MORE
    steps = {name: json.loads(row["provenance"])["step"] for name, row in now.items()}
    assert {name for name, step in steps.items() if step == 0} == set(earlier)
    new = [row for name, row in after.items() if name not in before]
    assert any("cone" in row["composition"] for row in new)
    assert any(photo.endswith("/new.png") for row in new for photo in row["source_images"])
    assert "on a beach" in {row["background"] for row in new}
    assert set(planned_splits(copy)) == {scene_of(name) for name in after}


def test_growth_by_four_workers_and_by_one_ends_in_the_same_bytes(
    few: Path, more_photos: Path, grounds: Path, tmp_path: Path
) -> None:
    for workers in (1, 4):
        output = Path(shutil.copytree(few, tmp_path / str(workers)))
        build(config_for(more_photos, grounds, output, samples=MORE, select=TIGHT, workers=workers))

    assert but_where(bytes_of(tmp_path / "1")) == but_where(bytes_of(tmp_path / "4"))
    assert any(scene_of(name) != name for name in candidates(tmp_path / "1"))
    assert made_files(few).items() <= made_files(tmp_path / "1").items()  # the new bounds draw no earlier scene again


MOMENTS = (
    ("os.rename", ".build/plan/00001.arrow"),
    ("os.rename", ".build/plan/00001.json"),
    ("os.rename", ".build/build.json"),
    ("os.rename", ".build/candidates/00004.json"),
    ("os.rename", ".build/selected.json"),
)


def test_growth_that_was_killed_at_every_step_ends_in_the_same_bytes(
    few: Path, more_photos: Path, more_grounds: Path, tmp_path: Path
) -> None:
    outputs = [Path(shutil.copytree(few, tmp_path / name)) for name in ("out", "undisturbed")]
    settings = tmp_path / "build.toml"
    settings.write_text("shard_size = 4\n[select]\nmin_visible = 0.5\nmax_border = 1.0\nduplicate_bits = -1\n")
    arguments = ["build", settings, "--concepts", more_photos, "--backgrounds", more_grounds, "--output", outputs[0]]
    arguments += ["--samples", MORE, "--resolution", SIDE, "--workers", 1]
    program = json.dumps([MOMENTS, *map(str, [outputs[0], *arguments])])

    killed = subprocess.run([sys.executable, "-c", KILLED, program], capture_output=True, text=True, check=False)
    for output in outputs:
        build(config_for(more_photos, more_grounds, output, samples=MORE, select=LOOSE))

    assert killed.returncode == 0, killed.stderr
    assert json.loads(killed.stdout.splitlines()[-1]) == [-signal.SIGKILL] * len(MOMENTS)
    assert but_where(bytes_of(outputs[0])) == but_where(bytes_of(outputs[1]))


def test_same_build_after_growth_changes_nothing(copy: Path, more_photos: Path, grounds: Path) -> None:
    config = config_for(more_photos, grounds, copy, samples=MORE, select=LOOSE)
    build(config)
    before = bytes_of(copy)

    build(config)

    assert bytes_of(copy) == before


def test_more_photos_alone_make_no_scene(copy: Path, more_photos: Path, grounds: Path) -> None:
    before = made_files(copy)

    build(config_for(more_photos, grounds, copy, samples=FEW, select=LOOSE))

    assert made_files(copy) == before


def without(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


def drawn_again(folder: Path) -> None:
    draw_shape(folder / "ball" / "0.png", 0, 5)


@pytest.mark.parametrize(
    ("changes", "change", "message"),
    [
        ({"seed": 7}, None, r"seed +was 0, now 7"),
        ({"resolution": 128}, None, r"resolution +was 160, now 128"),
        ({"layout": {"max_overlap": 0.1}}, None, r"layout\.max_overlap"),
        ({"samples": FEW - 1}, None, rf"samples +was {FEW}, now {FEW - 1}"),
        ({}, without("ball/1.png"), r"photo ball/1\.png +was removed"),
        ({}, drawn_again, r"photo ball/0\.png +has changed"),
    ],
)
def test_what_would_change_existing_scenes_is_refused_by_name(
    copy: Path,
    photos: Path,
    grounds: Path,
    tmp_path: Path,
    changes: dict[str, Any],
    change: Callable[[Path], None] | None,
    message: str,
) -> None:
    changed = Path(shutil.copytree(photos, tmp_path / "photos"))
    if change:
        change(changed)
    before = bytes_of(copy)

    with pytest.raises(StoreError, match=rf"(?s){message}.*another --output"):
        build(config_for(changed, grounds, copy, **{"samples": MORE, "select": LOOSE, **changes}))

    assert bytes_of(copy) == before


def test_build_of_an_earlier_version_is_refused(copy: Path, photos: Path, grounds: Path) -> None:
    shutil.rmtree(copy / ".build" / "plan")
    (copy / ".build" / "plan.json").write_text("{}")
    before = bytes_of(copy)

    for command in (
        lambda: build(config_for(photos, grounds, copy, samples=FEW)),
        lambda: reselect(copy, {"min_visible": 0.1}),
    ):
        with pytest.raises(StoreError, match=r"by an earlier version of mycanvas.*another --output"):
            command()

    assert bytes_of(copy) == before


def test_lost_step_is_drawn_again_only_if_it_gives_the_same_scenes(
    copy: Path, more_photos: Path, grounds: Path
) -> None:
    config = config_for(more_photos, grounds, copy, samples=MORE, select=LOOSE)
    build(config)
    before, plan = bytes_of(copy), copy / ".build" / "plan"
    (plan / "00000.arrow").unlink()
    (plan / "00001.arrow").write_bytes((plan / "00001.arrow").read_bytes()[:-9])

    build(config)

    assert bytes_of(copy) == before
    (plan / "00000.json").unlink()  # it was drawn for another request than the last one
    with pytest.raises(StoreError, match=r"step 0 of the plan in .* is damaged, and cannot be restored"):
        build(config)
    assert bytes_of(copy).items() >= {name: before[name] for name in (".build/plan/00000.arrow", SCENES)}.items()


def test_earlier_scenes_are_selected_first(copy: Path, photos: Path, grounds: Path) -> None:
    strict = {**LOOSE, "per_composition": 2, "duplicate_bits": 3}
    reselect(copy, {"per_composition": 2, "duplicate_bits": 3})
    earlier = rows(copy)

    build(config_for(photos, grounds, copy, samples=MORE, select=strict))

    assert earlier.items() <= rows(copy).items()


def kept(config: BuildConfig) -> tuple[int, Any]:
    funnel = build(config).funnel
    return sum(funnel.kept.values()), funnel


def test_attempts_raise_the_kept_share_and_are_counted(photos: Path, grounds: Path, tmp_path: Path) -> None:
    tight = {**TIGHT, "duplicate_bits": -1}
    once, _ = kept(config_for(photos, grounds, tmp_path / "once", samples=MORE, select={**tight, "attempts": 1}))
    often, funnel = kept(config_for(photos, grounds, tmp_path / "often", samples=MORE, select=tight))

    assert often > once
    made, first = candidates(tmp_path / "often"), candidates(tmp_path / "once")
    assert sum(funnel.planned.values()) == MORE
    assert funnel.again == len(made) + sum(funnel.rejected.values()) - MORE > 0
    assert f"  drawn again{funnel.again:>5}".split() in [line.split() for line in funnel.lines()]
    assert {name: row["image"] for name, row in first.items()}.items() <= {
        name: row["image"] for name, row in made.items()
    }.items()
    scenes = [scene_of(name) for name in rows(tmp_path / "often")]
    assert len(scenes) == len(set(scenes))


def test_near_duplicates_cause_no_attempt(photos: Path, grounds: Path, tmp_path: Path) -> None:
    every_bound = dict.fromkeys(("min_visible", "max_overlap", "max_border", "max_floating", "max_proportion"))
    _, funnel = kept(
        config_for(photos, grounds, tmp_path / "out", samples=FEW, select={**every_bound, "duplicate_bits": 64})
    )

    assert funnel.again == 0
    assert set(funnel.dropped) == {"near-duplicate"}


def test_keep_ends_with_exactly_that_many(photos: Path, grounds: Path, tmp_path: Path) -> None:
    config = config_for(photos, grounds, tmp_path / "out", keep=10, select={**TIGHT, "attempts": 1})
    number, funnel = kept(config)
    earlier = rows(tmp_path / "out")

    assert number == len(earlier) == 10 < sum(funnel.planned.values())

    number, _ = kept(parse_config({**config.model_dump(mode="json"), "keep": 13}))

    assert number == 13
    assert earlier.items() <= rows(tmp_path / "out").items()


def test_keep_expects_the_same_share_of_planned_scenes_as_before(photos: Path, grounds: Path, tmp_path: Path) -> None:
    config = config_for(photos, grounds, tmp_path / "out", samples=MORE, select={**TIGHT, "duplicate_bits": -1})
    number, funnel = kept(config)
    folder = BuildFolder(tmp_path / "out")

    class Planned(Exception):
        pass

    def make(total: int) -> Plan:
        raise Planned(total)

    with pytest.raises(Planned) as planned:
        make_until_kept(folder, config.model_copy(update={"keep": number + 3}), folder.plan(), make)

    assert funnel.again > 0
    assert planned.value.args == (MORE + ceil(SPARE * 3 / (number / MORE)),)


def test_keep_that_cannot_be_reached_says_why(
    photos: Path, grounds: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config = config_for(photos, grounds, tmp_path / "out", keep=9, select={**LOOSE, "per_composition": 1})
    number, _ = kept(config)

    assert number < 9
    assert f"{number} of the 9 scenes to keep are kept" in caplog.text
    assert "dropped: quota" in caplog.text
    before = bytes_of(tmp_path / "out")

    assert kept(config)[0] == number
    assert bytes_of(tmp_path / "out") == before


def test_number_of_scenes_may_be_given_in_another_way_each_time(photos: Path, grounds: Path, tmp_path: Path) -> None:
    def make(compositions: list[list[str]], **number: int) -> int:
        values = {"concepts": photos, "backgrounds": grounds, "output": tmp_path / "out", "resolution": 128}
        values |= {"workers": 1, "shard_size": 4, "compositions": compositions, "select": LOOSE}
        return sum(build(parse_config({**values, **number})).funnel.planned.values())

    pair, other = ["ball", "box"], ["box", "ring"]

    assert make([pair], samples_per_composition=2) == 2
    assert make([pair, other], samples_per_composition=3) == 6
    assert make([other, pair], samples=8) == 8
    assert reselect(tmp_path / "out", {"min_visible": 0.1}).funnel.planned["objects_le3"] == 8
    assert make([pair, other], keep=9) >= 9
    with pytest.raises(StoreError, match="compositions"):
        make([other], samples=20)


def test_removed_background_is_refused_by_name(copy: Path, photos: Path, grounds: Path, tmp_path: Path) -> None:
    fewer = Path(shutil.copytree(grounds, tmp_path / "grounds"))
    (fewer / "yard" / "1.png").unlink()

    with pytest.raises(StoreError, match=r"background yard/1\.png +was removed"):
        build(config_for(photos, fewer, copy, samples=MORE, select=LOOSE))
