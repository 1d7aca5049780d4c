"""Pairs that a push takes along by choice."""

from __future__ import annotations

import json
from pathlib import Path

import datasets
import pytest

from builder.pipeline.finalize import reselect
from mycanvas.export import export
from mycanvas.export.selection import Selection
from tests.contracts.push.test_photos_and_offline import keep_three
from tests.hub.fake_hub import FakeHub
from tests.publishing import Run, expected, read


@pytest.fixture
def pairs(built: Path, tmp_path: Path) -> Path:
    """References that scenes show, so that no other photos are published."""
    export(built, "pairs", tmp_path / "pairs", Selection(pairs="same"))
    return tmp_path / "pairs"


def test_pushed_pairs_are_a_config_and_change_no_other(
    hub: FakeHub, run: Run, built: Path, pairs: Path, tmp_path: Path, name: str
) -> None:
    done = run("push", built, name, "--pairs", pairs, "--json")

    assert done.code == 0, done.err
    rows = json.loads(done.out)["rows"]
    local = datasets.load_dataset(str(pairs), cache_dir=str(tmp_path / "cache"))
    assert {split: rows[f"pairs/{split}"] for split in local} == {split: len(local[split]) for split in local}
    assert {split: rows[split] for split in local} == {split: len(local[split]) for split in local}
    assert read(hub, tmp_path / "home", name) == expected(built)
    for file in (pairs / "data").iterdir():
        assert hub.content(hub.head(name).files[f"pairs/{file.name}"]) == file.read_bytes()


def test_push_without_pairs_deletes_those_of_an_earlier_one(run: Run, built: Path, pairs: Path, name: str) -> None:
    run("push", built, name, "--pairs", pairs)

    done = run("push", built, name, "--json")

    deleted = json.loads(done.out)["delete"]
    assert sorted(deleted) == sorted(f"pairs/{file.name}" for file in (pairs / "data").iterdir())


def test_pairs_of_a_dataset_that_changed_are_refused(run: Run, built: Path, pairs: Path, name: str) -> None:
    reselect(built, {"max_overlap": 0.2})

    done = run("push", built, name, "--pairs", pairs)

    assert done.code == 1
    assert "pairs of another dataset, or of this one before it changed" in done.err


def test_references_of_photos_that_are_held_back_are_refused(run: Run, built: Path, tmp_path: Path, name: str) -> None:
    keep_three(built)
    export(built, "pairs", tmp_path / "cross")

    done = run("push", built, name, "--pairs", tmp_path / "cross")
    all_of_them = run("push", built, name, "--pairs", tmp_path / "cross", "--all-photos", "--dry-run")

    assert done.code == 1
    assert "that would not be published, such as" in done.err
    assert all_of_them.code == 0, all_of_them.err


def test_another_export_is_refused(run: Run, built: Path, tmp_path: Path, name: str) -> None:
    export(built, "yolo", tmp_path / "yolo")

    done = run("push", built, name, "--pairs", tmp_path / "yolo")

    assert done.code == 1
    assert "an export in the format yolo, not pairs" in done.err


def test_folder_without_an_export_is_refused(run: Run, built: Path, tmp_path: Path, name: str) -> None:
    done = run("push", built, name, "--pairs", tmp_path)

    assert done.code == 1
    assert "holds no export" in done.err
