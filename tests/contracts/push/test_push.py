"""A built dataset on a Hub: sent by the real huggingface_hub, loaded by the real datasets, every row the same."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from huggingface_hub import DatasetCard

from tests.hub.fake_hub import FakeHub, serve
from tests.publishing import (
    Run,
    edit_captions,
    enlarge_pictures,
    environment,
    expected,
    program,
    published,
    read,
    rows_at,
    shards_of,
)

DATASETS36 = os.environ.get("MYCANVAS_DATASETS36_PYTHON")


def test_pushed_dataset_loads_with_equal_rows_by_name_and_by_streaming(
    hub: FakeHub, run: Run, built: Path, tmp_path: Path, name: str
) -> None:
    done = run("push", built, name)

    assert (done.code, published(hub, name)) == (0, 1), done.err
    assert read(hub, tmp_path / "home", name) == expected(built)
    assert "Traceback" not in done.err


@pytest.mark.skipif(not DATASETS36, reason="MYCANVAS_DATASETS36_PYTHON names no Python that has datasets 3.6 and wrapt")
def test_datasets_3_reads_the_same(hub: FakeHub, run: Run, built: Path, tmp_path: Path, name: str) -> None:
    run("push", built, name)

    assert read(hub, tmp_path / "home", name, str(DATASETS36)) == expected(built)


def test_a_second_push_sends_nothing_and_makes_no_commit(hub: FakeHub, run: Run, built: Path, name: str) -> None:
    run("push", built, name)
    before = len(hub.uploads)

    done = run("push", built, name, "--json")

    assert (json.loads(done.out)["send"], len(hub.uploads), published(hub, name)) == ({}, before, 1)


def test_killed_push_publishes_nothing_and_the_next_push_sends_only_the_rest(
    hub: FakeHub, run: Run, built: Path, tmp_path: Path, name: str
) -> None:
    before = len(hub.uploads)
    hub.hold_after = before + 2
    command = [sys.executable, "-m", "builder", "push", str(built), name]
    with subprocess.Popen(command, env=environment(hub, tmp_path / "home"), stderr=subprocess.DEVNULL) as stopped:
        assert hub.held.wait(120)  # seconds; only a guard against a hang
        stopped.kill()
    hub.go_on.set()
    sent = hub.uploads[before:]
    assert (len(sent), published(hub, name)) == (2, 0)
    hub.hold_after = None
    assert any((built / ".build" / "push").iterdir())

    done = run("push", built, name)

    assert done.code == 0, done.err
    assert sorted(hub.uploads[before:]) == sorted(file.size for file in hub.head(name).files.values() if file.large)
    assert not (built / ".build" / "push").exists()
    assert rows_at(hub, name) == shards_of(built)
    assert published(hub, name) == 1


def test_ten_edited_captions_send_only_their_chunks(built: Path, tmp_path: Path) -> None:
    """Over Xet, by the real client: what is new is what it puts into its store of chunks."""
    enlarge_pictures(built, 200_000)
    with serve(tmp_path / "hub", cas=tmp_path / "cas") as hub, program(hub, tmp_path / "home") as run:

        def publish() -> tuple[int, dict[str, int]]:
            before = hub.xet_bytes()
            done = run("push", built, "me/scenes", "--json")
            assert done.code == 0, done.err
            return hub.xet_bytes() - before, json.loads(done.out)["send"]

        whole, _ = publish()
        again, nothing = publish()
        edit_captions(built, 10)
        edited, changed = publish()

        assert (again, nothing) == (0, {})
        assert {Path(path).parts[0] for path in changed} == {"data", "README.md", "mycanvas.json"}
        assert (edited < 0.1 * sum(changed.values()), edited < 0.02 * whole) == (True, True)
        assert rows_at(hub, "me/scenes") == shards_of(built)


def test_a_dry_run_says_exactly_what_is_sent_and_touches_nothing(
    hub: FakeHub, run: Run, built: Path, name: str
) -> None:
    before = {file: file.stat().st_mtime_ns for file in built.rglob("*")}

    would = run("push", built, name, "--dry-run", "--json")

    assert name not in hub.repositories
    assert {file: file.stat().st_mtime_ns for file in built.rglob("*")} == before
    did = run("push", built, name, "--json")
    assert json.loads(would.out)["send"] == json.loads(did.out)["send"]
    assert json.loads(did.out)["send"] == {path: file.size for path, file in hub.head(name).files.items()}


def test_stale_dataset_files_are_deleted_and_foreign_files_are_kept(
    hub: FakeHub, run: Run, built: Path, name: str
) -> None:
    run("push", built, name)
    theirs = {"notes.txt": b"mine", "previews/teaser.jpg": b"mine", "data/extra-00000-of-00001.parquet": b"mine"}
    hub.write(name, {"data/objects_4-00001-of-00002.parquet": b"old", "previews/objects_4-9.jpg": b"old", **theirs})

    done = run("push", built, name, "--json")

    deleted = ["data/objects_4-00001-of-00002.parquet", "previews/objects_4-9.jpg"]
    assert json.loads(done.out)["delete"] == deleted
    assert {path: hub.content(hub.head(name).files[path]) for path in theirs} == theirs
    assert not set(deleted) & set(hub.head(name).files)


def test_a_card_that_was_edited_on_the_hub_is_not_replaced(hub: FakeHub, run: Run, built: Path, name: str) -> None:
    run("push", built, name)
    card = hub.content(hub.head(name).files["README.md"])
    hub.write(name, {"README.md": card + b"Mind the dog.\n"})

    for more in (("--dry-run",), ()):
        refused = run("push", built, name, *more)

        assert refused.code == 1
        assert "was edited on the Hub" in refused.err
    assert hub.content(hub.head(name).files["README.md"]).endswith(b"Mind the dog.\n")
    hub.write(name, {"README.md": None})
    assert run("push", built, name).code == 0
    assert hub.content(hub.head(name).files["README.md"]) == card


def test_a_branch_and_a_private_repository_are_made_where_there_are_none(
    hub: FakeHub, run: Run, built: Path, name: str
) -> None:
    done = run("push", built, name, "--private", "--revision", "v2")

    repository = hub.repositories[name]
    assert done.code == 0, done.err
    assert (repository.private, len(repository.branches["main"]), len(repository.branches["v2"])) == (True, 1, 2)


def test_published_card_has_the_repository_name_previews_and_given_license(
    hub: FakeHub, run: Run, finished: Path, tmp_path: Path, name: str
) -> None:
    built = shutil.copytree(finished, tmp_path / "out")
    readme = built / "README.md"
    readme.write_text(readme.read_text() + "\nWritten by hand.\n")

    done = run("push", built, name, "--license", "CC-BY-4.0")

    files = hub.head(name).files
    card = DatasetCard(hub.content(files["README.md"]).decode())
    assert done.code == 0, done.err
    assert card.data.license == "cc-by-4.0"
    assert "License: CC-BY-4.0," in card.text
    assert "No license is known" not in card.text
    assert f'load_dataset("{name}")' in card.text
    assert f'load_dataset("mycanvas", data_dir="hf://datasets/{name}")' in card.text
    assert {path for path, _ in re.findall(r'<img src="(\S+?)" alt="(.+?)"', card.text)} == {
        path for path in files if path.startswith(("previews/", "plots/"))
    }
    assert card.text.endswith("Written by hand.\n")
    sizes = {info["config_name"]: info["download_size"] for info in card.data.to_dict()["dataset_info"]}
    data = sum(file.size for path, file in files.items() if path.startswith("data/"))
    assert sizes == {"default": data, "all": data, "concepts": files["concepts/train-00000-of-00001.parquet"].size}
