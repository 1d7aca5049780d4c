"""Rows that this program did not write: what is wrong with one is named, where it is read."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from mycanvas.dataset import Dataset, open_dataset
from mycanvas.dataset.checks import check_scene
from mycanvas.errors import InputError
from mycanvas.schema import concepts_schema, dataset_schema
from tests.mycanvas.conftest import write_shard

Scene = Callable[[str], dict[str, Any]]
SHARD = "data/objects_4-00000-of-00001.arrow"
PHOTOS = "concepts/train-00000-of-00001.arrow"


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"id": None}, "the id None in .*built cannot name a file; expected at most 80 letters, digits, _ and -"),
        ({"id": "x" * 100_000}, "the id 'x{59}…, of 100002 characters, in .* cannot name a file"),
        ({"id": "a\nb"}, r"the id 'a\\nb' in .* cannot name a file"),
        ({"concept_tokens": ["<dog6>", None]}, r"expected a list of texts in concept_tokens, got \['<dog6>', None\]"),
        ({"class_names": [None, None]}, "scene b0 of .*: expected a list of texts in class_names"),
        ({"source_images": [None]}, "scene b0 of .*: expected a list of texts in source_images"),
        ({"boxes": [[1, 2, 4, 4], None]}, "scene b0 of .*: expected x, y, width and height of each box in boxes"),
        ({"boxes": [[1, 2, None, 4], [1, 2, 3, 4]]}, "expected x, y, width and height of each box"),
        ({"boxes": [[1, 2, float("nan"), 4], [1, 2, 3, 4]]}, "expected x, y, width and height of each box"),
        ({"boxes": [[1, 2, 0, 4], [1, 2, 3, 4]]}, "expected x, y, width and height of each box"),
        ({"boxes": None}, "scene b0 of .* has no boxes"),
        ({"scores": None}, "scene b0 of .* has no scores"),
        ({"provenance": None}, "scene b0 of .* has no provenance"),
        (
            {"boxes": [[1, 2, 3, 4]] * 6, "concept_tokens": ["<a>"] * 6, "class_names": ["a"] * 6},
            "scene b0 of .* has 6 objects; expected 1 to 5",
        ),
    ],
)
def test_what_is_wrong_with_a_scene_is_named(built: Path, scene: Scene, changed: dict[str, Any], message: str) -> None:
    write_shard(built / SHARD, [{**scene("b0"), **changed}], dataset_schema())

    with pytest.raises(InputError, match=message):
        list(open_dataset(built).scenes())


@pytest.mark.parametrize("number", [10**400, -(10**400), float("inf"), True, "1"])
def test_a_number_that_no_float_can_hold_is_refused(number: object) -> None:
    with pytest.raises(InputError, match="scene b0 of a dataset: expected a finite number in rank"):
        check_scene({"id": "b0", "rank": number}, "a dataset")


@pytest.mark.parametrize("read", [Dataset.ids, Dataset.contents])
def test_ids_are_checked_however_they_are_read(built: Path, scene: Scene, read: Callable[[Dataset], Any]) -> None:
    write_shard(built / SHARD, [scene("x" * 81)], dataset_schema())

    with pytest.raises(InputError, match="cannot name a file"):
        list(read(open_dataset(built)) or ())


@pytest.mark.parametrize("changed", [{"concept_tokens": [None, "<a>"]}, {"class_names": None}])
def test_classes_are_not_listed_with_gaps(built: Path, scene: Scene, changed: dict[str, Any]) -> None:
    write_shard(built / SHARD, [{**scene("b0"), **changed}], dataset_schema())

    with pytest.raises(InputError, match=f"scene b0 of .* {next(iter(changed))}"):
        open_dataset(built).contents()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"id": None}, "the source photo None of .*built has no id"),
        ({"concept": None}, "the source photo 'dog6/0.jpg' of .*built has no concept"),
        ({"concept_token": None}, "the source photo 'dog6/0.jpg' of .*built has no concept_token"),
        ({"class_name": None}, "the source photo 'dog6/0.jpg' of .*built has no class_name"),
        ({"quality": float("nan")}, "expected a finite number in quality, got nan"),
    ],
)
def test_what_is_wrong_with_a_photo_is_named(built: Path, changed: dict[str, Any], message: str) -> None:
    row = {"id": "dog6/0.jpg", "concept": "dog6", "concept_token": "<dog6>", "class_name": "dog"}
    image = {"bytes": b"\xff\xd8\xff", "path": None}
    write_shard(built / PHOTOS, [{**row, "image": image, **changed}], concepts_schema())

    with pytest.raises(InputError, match=message):
        open_dataset(built).concepts()


def other_type(name: str, kind: pa.DataType) -> pa.Schema:
    schema = dataset_schema()
    return schema.set(schema.get_field_index(name), pa.field(name, kind))


@pytest.mark.parametrize(
    ("name", "kind", "value", "message"),
    [
        ("id", pa.int64(), 7, "the id 7 in .* cannot name a file"),
        ("caption", pa.int64(), 7, "expected text in caption, got 7"),
        ("concept_tokens", pa.string(), "<dog6>", "expected a list of texts in concept_tokens"),
        ("boxes", pa.list_(pa.float32()), [1.0], "expected x, y, width and height of each box"),
        ("scores", pa.string(), "high", "expected numbers in scores"),
        ("image", pa.string(), "/etc/passwd", "has no pictures in column image, but string"),
        ("mask", pa.struct({"path": pa.string()}), {"path": "/etc/passwd"}, "has no pictures in column mask"),
        ("mask", pa.struct({"a\x1b[2J\nb": pa.string()}), None, r"column mask, but struct<a\\x1b\[2J\\nb: string>"),
    ],
)
@pytest.mark.parametrize("suffix", ["arrow", "parquet"])
def test_a_column_of_another_type_is_named(
    built: Path, scene: Scene, name: str, kind: pa.DataType, value: object, message: str, suffix: str
) -> None:
    (built / SHARD).unlink()
    shard = (built / SHARD).with_suffix(f".{suffix}")
    write_shard(shard, [{**scene("b0"), name: value}], other_type(name, kind))

    with pytest.raises(InputError, match=message):
        list(open_dataset(built).scenes())


def test_a_column_that_is_there_twice_is_named(built: Path, scene: Scene) -> None:
    schema = dataset_schema()
    batch = pa.RecordBatch.from_pylist([scene("b0")], schema=schema)
    twice = pa.RecordBatch.from_arrays(
        [*batch.columns, batch.column("caption")], schema=schema.append(schema.field("caption"))
    )
    with pa.OSFile(str(built / SHARD), "wb") as sink, pa.ipc.new_stream(sink, twice.schema) as writer:
        writer.write_batch(twice)

    with pytest.raises(InputError, match=re.escape("objects_4-00000-of-00001.arrow has 2 columns caption")):
        list(open_dataset(built).scenes())


def test_text_that_is_not_utf_8_is_named(built: Path, scene: Scene) -> None:
    (built / SHARD).unlink()
    row = {**scene("b0"), "caption": b"\xff\xfe"}
    table = pa.Table.from_pylist([row], schema=other_type("caption", pa.binary()))
    column = table.column("caption").chunk(0)
    text = pa.Array.from_buffers(pa.string(), 1, column.buffers())
    table = table.set_column(table.schema.get_field_index("caption"), "caption", text)
    with pa.OSFile(str(built / SHARD), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)

    with pytest.raises(InputError, match="cannot be read"):
        list(open_dataset(built).scenes())
