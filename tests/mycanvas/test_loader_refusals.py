"""Folders and shards that the loader refuses, each with an error that names it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import datasets
import pytest
from datasets import Image, Value, load_dataset
from datasets.exceptions import DatasetGenerationError

from mycanvas.schema import dataset_schema
from tests.mycanvas.conftest import write_shard

Write = Callable[[Path, Iterable[str]], Path]


def test_a_folder_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"/nowhere does not exist; give a folder that `mycanvas build`"):
        load_dataset("mycanvas", data_dir=str(tmp_path / "nowhere"))


def test_a_folder_without_shards_is_named_and_what_it_lacks(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"holds no data/<split>-00000-of-00001\.arrow"):
        load_dataset("mycanvas", data_dir=str(tmp_path))


def test_a_folder_without_source_photos_has_no_config_concepts(tmp_path: Path, write_scenes: Write) -> None:
    write_scenes(tmp_path / "data/objects_4-00000-of-00001.arrow", ["b0"])

    with pytest.raises(FileNotFoundError, match=r"holds no concepts/<split>-00000-of-00001\.arrow"):
        load_dataset("mycanvas", "concepts", data_dir=str(tmp_path))


def test_an_unknown_config_lists_the_known_ones(built: Path) -> None:
    with pytest.raises(ValueError, match=r"'some' not found. Available: \['default', 'all', 'concepts'\]"):
        load_dataset("mycanvas", "some", data_dir=str(built))


def test_a_missing_shard_is_named(built: Path) -> None:
    (built / "data/objects_le3-00001-of-00002.arrow").unlink()

    with pytest.raises(
        ValueError, match=r"1 of 2 shards of objects_le3 are missing.*objects_le3-00001-of-00002\.arrow"
    ):
        load_dataset("mycanvas", data_dir=str(built), split="objects_4")


@pytest.mark.parametrize("name", ["objects_4-00000-of-00003.arrow", "objects_4-00000-of-00001.parquet"])
def test_two_sets_of_shards_for_one_split_are_refused(built: Path, write_scenes: Write, name: str) -> None:
    write_scenes(built / "data" / name, ["b0"])

    with pytest.raises(ValueError, match=r"several sets of shards of objects_4 \(objects_4-00000-of-0000.*keep one"):
        load_dataset("mycanvas", data_dir=str(built))


CUTS = {
    "within a picture": lambda content: content[:-200],
    "between two batches": lambda content: content[:-8],
    "within the schema": lambda content: content[:100],
    "to nothing": lambda content: content[:0],
    "before its start": lambda content: content[1:],
}


@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize("cut", CUTS.values(), ids=CUTS.keys())
def test_a_damaged_shard_is_named(built: Path, cut: Callable[[bytes], bytes], streaming: bool) -> None:
    shard = built / "data/objects_le3-00001-of-00002.arrow"
    shard.write_bytes(cut(shard.read_bytes()))

    with pytest.raises(DatasetGenerationError, match=r"objects_le3-00001-of-00002\.arrow is damaged or cut off"):
        list(load_dataset("mycanvas", data_dir=str(built), split="objects_le3", streaming=streaming))


def test_a_damaged_parquet_shard_is_named(tmp_path: Path, write_scenes: Write) -> None:
    shard = write_scenes(tmp_path / "data/objects_4-00000-of-00001.parquet", ["b0"])
    shard.write_bytes(shard.read_bytes()[:-100])

    with pytest.raises(DatasetGenerationError, match=r"objects_4-00000-of-00001\.parquet is damaged or cut off"):
        load_dataset("mycanvas", data_dir=str(tmp_path))


def test_a_build_that_was_stopped_is_refused(built: Path) -> None:
    (built / ".build/selected.json").unlink()

    with pytest.raises(ValueError, match="its build was stopped"):
        datasets.load_dataset("mycanvas", data_dir=str(built))


@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize("kind", ["arrow", "parquet"])
@pytest.mark.parametrize("target", ["/etc/passwd", "https://example.org/x.png", "zip://a.png::https://example.org/z"])
def test_a_picture_that_is_only_a_path_is_refused(
    tmp_path: Path, scene: Callable[[str], dict[str, Any]], target: str, kind: str, streaming: bool
) -> None:
    rows = [scene("a"), {**scene("b"), "mask": {"bytes": None, "path": target}}]
    shard = write_shard(tmp_path / f"data/objects_4-00000-of-00001.{kind}", rows, dataset_schema())

    with pytest.raises(DatasetGenerationError, match=rf"^{shard} has a picture that is only a path; expected its b"):
        list(load_dataset("mycanvas", data_dir=str(tmp_path), split="objects_4", streaming=streaming))


@pytest.mark.parametrize(
    ("feature", "value"),
    [
        (datasets.Audio(), {"bytes": None, "path": "/etc/passwd"}),
        (datasets.List(Image()), [{"bytes": b"x", "path": None}, {"bytes": None, "path": "/etc/passwd"}]),
        ({"inner": [{"deep": Image()}]}, {"inner": [{"deep": {"bytes": None, "path": "/etc/passwd"}}]}),
    ],
    ids=["sound", "in a list", "in a struct"],
)
def test_a_path_in_a_column_of_somebody_else_is_refused_as_well(tmp_path: Path, feature: Any, value: Any) -> None:
    schema = datasets.Features({"id": Value("string"), "more": feature}).arrow_schema
    write_shard(tmp_path / "data/objects_4-00000-of-00001.arrow", [{"id": "a", "more": value}], schema)

    with pytest.raises(DatasetGenerationError, match="is only a path"):
        load_dataset("mycanvas", data_dir=str(tmp_path))


def test_a_picture_with_bytes_may_name_the_file_it_came_from(
    tmp_path: Path, scene: Callable[[str], dict[str, Any]]
) -> None:
    row = scene("a")
    row["image"] = {**row["image"], "path": "/gone/photo.jpg"}
    write_shard(tmp_path / "data/objects_4-00000-of-00001.arrow", [{**row, "mask": None}], dataset_schema())

    (read,) = load_dataset("mycanvas", data_dir=str(tmp_path), split="objects_4")
    assert read["image"].size == (16, 12)
    assert read["mask"] is None
