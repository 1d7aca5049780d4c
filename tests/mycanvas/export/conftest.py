"""A dataset as `mycanvas build` makes it, and the rows of its shards, read without mycanvas."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from PIL import Image

from mycanvas.schema import concepts_schema, dataset_schema
from tests.mycanvas.conftest import encoded, write_shard

Row = dict[str, Any]
CARD = """---
configs:
- config_name: all
  data_files: [{split: train, path: data/*}]
---
"""
Foreign = Callable[..., Path]


@pytest.fixture(scope="session")
def dataset(shapes: Path, grounds: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Scenes in all three splits."""
    from builder.config import load_config
    from builder.pipeline.build import build

    folder = tmp_path_factory.mktemp("export") / "dataset"
    values = {"concepts": shapes, "backgrounds": grounds, "output": folder, "samples": 24, "resolution": 192}
    build(load_config(None, None, {**values, "workers": 1}))
    return folder


@pytest.fixture(scope="session")
def scenes(dataset: Path) -> dict[str, list[Row]]:
    """Rows by split; `image` and `mask` are bytes."""
    found: dict[str, list[Row]] = {}
    for split in ("objects_le3", "objects_4", "objects_5"):
        for shard in sorted((dataset / "data").glob(f"{split}-*.arrow")):
            found.setdefault(split, []).extend(rows_of(shard))
    assert list(found) == ["objects_le3", "objects_4", "objects_5"]
    return found


@pytest.fixture(scope="session")
def photos(dataset: Path) -> list[Row]:
    """Source photos; `image` is bytes."""
    return rows_of(dataset / "concepts/train-00000-of-00001.arrow")


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """Where to export to; not there yet."""
    return tmp_path / "out"


@pytest.fixture
def foreign(tmp_path: Path, scene: Callable[[str], Row]) -> Foreign:
    """Writes a dataset that this program did not make: its scenes and its source photos."""

    def write(scenes: Sequence[Row], photos: Sequence[Row] | None = None) -> Path:
        rows = [{**scene(f"s{number}"), **changed} for number, changed in enumerate(scenes)]
        cat = {"concept_token": "<cat2>", "class_name": "cat", "mask": square()}
        own = [photo_row(f"dog6/{number}.jpg", mask=square()) for number in ("00", "01")]
        own += [photo_row(f"cat2/{number}.jpg", **cat) for number in ("00", "01")]
        folder = tmp_path / "foreign"
        write_shard(folder / "data/objects_le3-00000-of-00001.arrow", rows, dataset_schema())
        write_shard(folder / "concepts/train-00000-of-00001.arrow", list(photos or own), concepts_schema())
        (folder / "README.md").write_text(CARD)
        return folder

    return write


def photo_row(name: str, encoded_image: bytes | None = None, **changed: Any) -> Row:
    """A row of a source photo: 8x8, without a mask."""
    content = encoded_image or encoded(Image.new("RGB", (8, 8), "red"), "JPEG")
    row = {"id": name, "concept": name.partition("/")[0], "concept_token": "<dog6>", "class_name": "dog", "used": True}
    return {**row, "image": picture(content), "mask": None, **changed}


def square() -> Row:
    """The mask of an object in the middle of a photo of 8x8."""
    mask = Image.new("L", (8, 8))
    mask.paste(255, (2, 2, 6, 6))
    return picture(encoded(mask, "PNG"))


def blank_scene(size: tuple[int, int]) -> Row:
    """The picture and the mask of a scene that is one object."""
    image, mask = Image.new("RGB", size), Image.new("P", size, 1)
    return {"image": picture(encoded(image, "JPEG")), "mask": picture(encoded(mask, "PNG"))}


def picture(content: bytes | None) -> Row:
    """An encoded picture as a shard stores it."""
    return {"bytes": content, "path": None}


def rows_of(shard: Path) -> list[Row]:
    """The rows of a shard."""
    with pa.ipc.open_stream(shard.read_bytes()) as stream:
        rows: list[Row] = stream.read_all().to_pylist()
    for row in rows:
        for name in ("image", "mask"):
            row[name] = row[name] and row[name]["bytes"]
    return rows
