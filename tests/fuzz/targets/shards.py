"""Arrow and Parquet shards of scenes and photos with damage, and foreign rows in whole ones."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from mycanvas.dataset.checks import check_photo, check_scene
from mycanvas.dataset.shards import count_rows, read_rows, read_schema
from mycanvas.schema import dataset_schema
from tests.fuzz.draws import changed, damaged
from tests.fuzz.target import Target, require

SMALL = (
    "id",
    "caption",
    "prompt",
    "boxes",
    "concept_tokens",
    "class_names",
    "source_images",
    "scores",
    "rank",
    "provenance",
)
PIECES = (
    b"bytes",
    b"path",
    b"\xff\xff\xff\xff",
    b"\xff\xff\xff\xff\0\0\0\0",
    b"PAR1",
    b"ARROW1\0\0",
    b"{}",
    b"\0" * 16,
)
ROW = {
    "id": "a-00000",
    "caption": "A dog in a garden.",
    "prompt": "A <dog6> dog in a garden.",
    "long_caption": None,
    "boxes": [[1.0, 2.0, 3.0, 4.0]],
    "concept_tokens": ["<dog6>"],
    "class_names": ["dog"],
    "background": "garden",
    "composition": "dog6",
    "source_images": ["dog6/0.jpg"],
    "scores": {"visible": 1.0, "sharp": None},
    "rank": 4,
    "provenance": "{}",
}
PHOTO = {
    "id": "dog6/0.jpg",
    "concept": "dog6",
    "concept_token": "<dog6>",
    "class_name": "dog",
    "used": True,
    "quality": 0.9,
    "attribution": None,
}


def targets(scratch: Path) -> Iterator[Target]:
    """The targets of this file; `scratch` is an empty folder."""
    folder = scratch / "shards"
    folder.mkdir()
    yield _shard(folder, "arrow")
    yield _shard(folder, "parquet")
    yield Target(name="rows", draw=_row, check=_check_row, inputs=40_000)


def _table() -> pa.Table:
    """Two scenes in two record batches, of the columns of a dataset."""
    picture, stream = {"bytes": b"", "path": None}, io.BytesIO()
    Image.new("RGB", (8, 8)).save(stream, "JPEG")
    picture["bytes"] = stream.getvalue()
    schema = dataset_schema()
    row = {field.name: ROW.get(field.name) for field in schema} | {"image": picture, "mask": picture}
    return pa.Table.from_pylist([row, {**row, "id": "a-00001"}], schema)


def _shard(folder: Path, suffix: str) -> Target:
    sink = io.BytesIO()
    if suffix == "parquet":
        pq.write_table(_table(), sink)
    else:
        with pa.ipc.new_stream(sink, dataset_schema()) as writer:
            writer.write_table(_table(), max_chunksize=1)
    whole, file = sink.getvalue(), folder / f"objects_le3-00000-of-00001.{suffix}"

    def check(data: bytes) -> None:
        file.unlink(missing_ok=True)
        file.write_bytes(data)
        read_schema(str(file)).to_string()
        rows = 0
        for row, (image, mask) in read_rows([str(file)], SMALL, ("image", "mask"), optional=("long_caption",)):
            rows += 1
            require(len(bytes(image)) <= len(data) and len(bytes(mask)) <= len(data), "pictures are in the shard")
            check_scene(row, "a dataset")
        require(rows == count_rows([str(file)]), "rows are counted as they are read")

    return Target(
        name=f"{suffix} shards",
        draw=lambda random: damaged(random, whole, PIECES),
        check=check,
        inputs=8_000 if suffix == "arrow" else 3_000,
    )


def _row(random: Random) -> tuple[bool, Any]:
    is_photo = random.random() < 0.5
    row = changed(random, PHOTO if is_photo else ROW)
    known = PHOTO if is_photo else ROW
    return is_photo, {key: row[key] for key in known if key in row} | {"id": row.get("id")} if isinstance(
        row, dict
    ) else known


def _check_row(given: tuple[bool, Any]) -> None:
    is_photo, row = given
    (check_photo if is_photo else check_scene)(row, "a dataset")
    require(isinstance(row["id"], str), "rows have ids")
