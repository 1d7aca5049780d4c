"""Builds at URLs: killed and resumed elsewhere, in parts, at once, on a store that refuses and loses requests."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import datasets
import pytest

import mycanvas  # noqa: F401  (registers the loader)
from builder.cli.main import main
from builder.pipeline.build import build, cut_out_only
from builder.pipeline.build_folder import BuildFolder
from builder.pipeline.context import Part
from builder.pipeline.finalize import Summary, reselect
from builder.pipeline.parts import PartReport, build_part
from builder.pipeline.remote import RemoteFolder
from builder.pipeline.remote_state import PlannedElsewhereError
from mycanvas.errors import ConfigError, InUseError, StoreError
from mycanvas.io.checked import with_checksum
from mycanvas.io.store import Store
from tests.contracts.conftest import Machine
from tests.contracts.small_builds import SAMPLES, SIDE, TIGHT, config_for
from tests.ray_nodes import wait_until
from tests.s3_server import s3_server

pytestmark = pytest.mark.usefixtures("machine")


@pytest.fixture(scope="module")
def s3() -> Iterator[Any]:
    """A server with faults, and a client for two buckets, `versioned` and `plain`."""
    pytest.importorskip("moto", reason="moto is not installed: pip install 'moto[server]'")
    s3fs = pytest.importorskip("s3fs", reason="s3fs is not installed: pip install 'mycanvas[s3]'")
    with s3_server(faults=True) as environment, pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        files = s3fs.S3FileSystem(use_listings_cache=False)
        for bucket in ("plain", "versioned"):
            files.mkdir(bucket)
        files.call_s3("put_bucket_versioning", Bucket="versioned", VersioningConfiguration={"Status": "Enabled"})
        yield files
        s3fs.S3FileSystem.clear_instance_cache()


def rows(place: Path | str, cache: Path) -> dict[str, list[dict[str, Any]]]:
    """All rows of a dataset that is loaded by name."""
    found = datasets.load_dataset("mycanvas", data_dir=str(place), cache_dir=str(cache))
    return {split: own.data.table.to_pylist() for split, own in found.items()}


BUILD = ("-m", "builder")
KILLED = (
    "-c",
    """
import os, signal
from builder.cli.entry_point import run
from builder.pipeline.remote import RemoteFolder

push = RemoteFolder.push_shard

def push_and_die(*arguments):
    push(*arguments)
    os.kill(os.getpid(), signal.SIGKILL)

RemoteFolder.push_shard = push_and_die
run()
""",
)
"""The command of a build, which is killed when its first shard is at the URL."""


def started(
    shapes: Path, grounds: Path, url: str, cache: Path, program: Sequence[str] = BUILD
) -> subprocess.Popen[str]:
    """Start the command of a build on another machine."""
    settings = cache.with_suffix(".toml")
    settings.write_text("shard_size = 4\n")
    words = ["build", settings, "--concepts", shapes, "--backgrounds", grounds, "--output", url]
    words += ["--samples", SAMPLES, "--resolution", SIDE, "--workers", 1]
    return subprocess.Popen(
        [sys.executable, *program, *map(str, words)],
        env={**os.environ, "MYCANVAS_CACHE": str(cache)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_build_on_s3_that_was_killed_is_finished_by_another_machine(
    s3: Any, shapes: Path, grounds: Path, whole: Path, tmp_path: Path
) -> None:
    url = "s3://plain/killed"
    with started(shapes, grounds, url, tmp_path / "killed", KILLED) as killed:
        _, errors = killed.communicate()
    assert killed.returncode == -signal.SIGKILL, errors
    assert len(s3.glob("plain/killed/.build/candidates/*.json")) == 1

    build(config_for(shapes, grounds, url))

    assert rows(url, tmp_path / "rows") == rows(whole, tmp_path / "rows")


def test_two_builders_on_one_versioned_bucket_make_one_dataset(
    s3: Any, shapes: Path, grounds: Path, whole: Path, tmp_path: Path
) -> None:
    url = "s3://versioned/twice"
    with started(shapes, grounds, url, tmp_path / "b") as other:
        wait_until(lambda: other.poll() is not None or s3.glob("versioned/twice/.build/objects/*"))
        build(config_for(shapes, grounds, url))
        _, errors = other.communicate()

    assert other.returncode == 0, errors
    assert len(s3.glob("versioned/twice/.build/candidates/?????.json")) == SAMPLES // 4
    assert rows(url, tmp_path / "rows") == rows(whole, tmp_path / "rows")


def test_parts_on_machines_that_share_only_the_url_make_one_dataset(
    shapes: Path, grounds: Path, whole: Path, tmp_path: Path, machine: Machine, url: str
) -> None:
    config = config_for(shapes, grounds, url)

    first = build_part(config, Part(1, 2))
    machine("b")
    last = build_part(config, Part(0, 2))

    assert isinstance(first, PartReport)
    assert first.as_json() == {"folder": url, "part": "1/2", "left": {"0/2": 2}}
    assert isinstance(last, Summary)
    assert rows(url, tmp_path / "rows") == rows(whole, tmp_path / "rows")


@pytest.mark.parametrize("more", [{"samples": SAMPLES + 6}, {"keep": 9}])
def test_build_at_a_url_grows_on_another_machine_as_in_a_folder(
    shapes: Path, grounds: Path, tmp_path: Path, machine: Machine, url: str, more: dict[str, int]
) -> None:
    select = {**TIGHT, "attempts": 2}
    for place, second in ((tmp_path / "out", "a"), (url, "b")):
        machine("a")
        build(config_for(shapes, grounds, place, samples=6, select=select))
        machine(second)
        build(config_for(shapes, grounds, place, **{"samples": 6, "select": select, **more}))

    assert BuildFolder(tmp_path / "out").plan().rows > 6
    assert rows(url, tmp_path / "rows") == rows(tmp_path / "out", tmp_path / "rows")


def test_selection_at_a_url_needs_nothing_of_the_machine_that_built(
    shapes: Path, grounds: Path, tmp_path: Path, machine: Machine, url: str
) -> None:
    build(config_for(shapes, grounds, url))
    machine("b")

    main(["select", url, "--per-composition", "1"])
    machine("a")
    kept = reselect(url, {}).funnel.kept

    assert {split: len(own) for split, own in rows(url, tmp_path / "rows").items()} == kept
    assert sum(kept.values()) < SAMPLES


@pytest.mark.parametrize("damaged", ["00001.arrow", "00001.scores.arrow"])
def test_damaged_shard_at_a_url_is_named_and_made_again(
    shapes: Path, grounds: Path, whole: Path, tmp_path: Path, machine: Machine, url: str, damaged: str
) -> None:
    build(config_for(shapes, grounds, url))
    store = Store(url)
    marker = json.loads(store.read(".build/candidates/00001.json") or b"")
    name = f".build/candidates/{marker['files'][damaged]}.arrow"
    store.write(name, (store.read(name) or b"")[:-1] + b"?")
    machine("b")

    with pytest.raises(StoreError, match=r"candidates/00001\.json names a damaged or missing file; run the same"):
        reselect(url, {"min_visible": 0.1})
    build(config_for(shapes, grounds, url))

    assert rows(url, tmp_path / "rows") == rows(whole, tmp_path / "rows")


@pytest.mark.parametrize("finisher", ["a", "b"])
def test_lost_and_damaged_files_of_a_plan_at_a_url_are_uploaded_again(
    shapes: Path, grounds: Path, machine: Machine, url: str, finisher: str
) -> None:
    build_part(config_for(shapes, grounds, url), Part(0, 2))
    store, state = Store(url), RemoteFolder(url)
    state.pull()
    sums = state.state.files
    cutouts = [sha256 for name, sha256 in sums.items() if name.startswith(".build/cutouts/")]
    plan = [sums[".build/plan/00000.arrow"], sums[".build/build.json"]] if finisher == "a" else []
    whole = {sha256: store.read(f".build/objects/{sha256}") for sha256 in [*cutouts[:3], *plan]}
    store.write(f".build/objects/{cutouts[0]}", b"damaged")
    store.remove(f".build/objects/{cutouts[1]}")
    for sha256 in plan:  # which only a machine that has it can restore
        flip(store, f".build/objects/{sha256}")
    if finisher == "b":
        flip(store, f".build/objects/{cutouts[2]}")
    machine(finisher)

    build(config_for(shapes, grounds, url))

    assert {sha256: store.read(f".build/objects/{sha256}") for sha256 in whole} == whole


def flip(store: Store, name: str) -> None:
    """Change a bit of an object, whose size stays."""
    content = bytearray(store.read(name) or b"")
    content[len(content) // 2] ^= 1
    store.write(name, bytes(content))


def test_damaged_shard_of_a_dataset_at_a_url_is_uploaded_again_by_the_next_selection(
    shapes: Path, grounds: Path, whole: Path, tmp_path: Path, url: str
) -> None:
    build(config_for(shapes, grounds, url))
    store = Store(url)
    for name in store.names(".build/shards"):
        flip(store, f".build/shards/{name}")

    reselect(url, {})

    assert rows(url, tmp_path / "rows") == rows(whole, tmp_path / "rows")


def test_card_that_was_edited_in_the_copy_is_kept_beside_the_new_one(shapes: Path, grounds: Path, url: str) -> None:
    build(config_for(shapes, grounds, url))
    card = RemoteFolder(url).path / "README.md"
    written = card.read_text()
    card.write_text(f"{written}\nMine.\n")

    reselect(url, {"per_composition": 1})

    assert card.with_name("README.edited.md").read_text() == f"{written}\nMine.\n"
    assert Store(url).read("README.edited.md") == f"{written}\nMine.\n".encode()
    reselect(url, {"per_composition": 2})
    assert not card.with_name("README.edited-2.md").exists()


def test_machine_that_was_slower_to_plan_takes_the_plan_that_is_there(machine: Machine, url: str) -> None:
    first, second = RemoteFolder(url), None
    first.pull()
    machine("b")
    second = RemoteFolder(url)
    second.pull()
    for folder, content in ((first, "first"), (second, "second")):
        folder.cutout_file("0" * 32, "json").parent.mkdir(parents=True)
        folder.cutout_file("0" * 32, "json").write_text(content)
    first.states.push()

    with pytest.raises(PlannedElsewhereError):
        second.states.push()
    second.pull()
    second.states.push()

    assert second.cutout_file("0" * 32, "json").read_text() == "first"
    assert second.state == first.state


def test_first_of_two_markers_of_a_shard_counts(machine: Machine, url: str) -> None:
    for name in ("a", "b"):
        machine(name)
        folder = RemoteFolder(url)
        assert folder.fetch_shard(0) is None or name == "b"
        folder.write_candidates(0, [], [], name, "plan")
        folder.push_shard(0, None)
    folder.pull()

    assert [marker.config for _, marker in folder.markers()] == ["a"]


def test_machine_that_was_killed_before_it_uploaded_anything_begins_again(
    shapes: Path, grounds: Path, url: str
) -> None:
    left = RemoteFolder(url)
    left.pull()
    for file in (left.request_file, left.candidate_file(0).with_suffix(".json"), left.cutout_file("0" * 32, "json")):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("{}")

    assert sum(build(config_for(shapes, grounds, url)).funnel.kept.values()) == SAMPLES


@pytest.mark.parametrize("name", ["../../out.txt", ".build/../x.json", "/etc/x", ".build/replies/../../x.json"])
def test_names_at_a_url_that_lead_out_of_the_folder_are_refused(name: str, url: str) -> None:
    state = json.dumps(with_checksum({"number": 0, "files": {name: "0" * 64}})).encode()
    Store(url).write(".build/states/00000.json", state)

    with pytest.raises(StoreError, match=r"states/00000\.json is damaged"):
        RemoteFolder(url).pull()


def test_other_settings_and_foreign_files_at_a_url_are_refused(
    shapes: Path, grounds: Path, machine: Machine, url: str
) -> None:
    build_part(config_for(shapes, grounds, url), Part(0, 2))
    machine("b")

    with pytest.raises(StoreError, match=r"^memory://\S+/out was built with another configuration\n  seed"):
        build(config_for(shapes, grounds, url, seed=1))
    foreign = url.removesuffix("/out")
    Store(foreign).write("notes.txt", b"mine")
    with pytest.raises(StoreError, match=r"holds something else \(notes.txt\)"):
        build(config_for(shapes, grounds, foreign))
    with pytest.raises(StoreError, match=r"^memory://\S+/none holds no build"):
        reselect(f"{foreign}/none", {})


def test_second_command_on_this_machine_is_refused_while_one_works(shapes: Path, grounds: Path, url: str) -> None:
    with RemoteFolder(url).locked(), pytest.raises(InUseError):
        build(config_for(shapes, grounds, url))


@pytest.mark.parametrize(
    "words", [("build", "--preview=6"), ("build", "--output=hf://datasets/a/b"), ("build", "--output=x9://a/b")]
)
def test_what_urls_cannot_be_used_for_is_reported(
    words: tuple[str, ...], shapes: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as exit_:
        main([*words[:1], "--concepts", str(shapes), "--output=s3://a/b", *words[1:]])

    assert exit_.value.code in {1, 2}
    assert capsys.readouterr().err.startswith("error: ")


def test_store_that_cannot_be_reached_ends_a_build_with_what_to_do(
    s3: Any, shapes: Path, grounds: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    type(s3).clear_instance_cache()

    with pytest.raises(
        StoreError, match=r"cannot list s3://plain/lost\S+: Could not connect .*; check the network and"
    ):
        build(config_for(shapes, grounds, "s3://plain/lost"))
    type(s3).clear_instance_cache()


@pytest.mark.usefixtures("s3")
def test_bucket_that_does_not_exist_is_refused_before_photos_are_cut_out(
    shapes: Path, grounds: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "mycanvas")

    with pytest.raises(StoreError, match="s3://nobody-made-it/data: there is no bucket nobody-made-it; create it"):
        build(config_for(shapes, grounds, "s3://nobody-made-it/data"))

    assert "cutting out" not in caplog.text


def test_cutouts_alone_are_for_folders(shapes: Path, grounds: Path, url: str) -> None:
    with pytest.raises(ConfigError, match="give --output a folder"):
        cut_out_only(config_for(shapes, grounds, url))
