"""A small built folder, as `mycanvas build` leaves it, and how to write more of its shards."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

import mycanvas  # noqa: F401  # registers the loader
from mycanvas.io.checked import write_checked
from mycanvas.schema import SCORES, concepts_schema, dataset_schema

Write = Callable[[Path, Iterable[str]], Path]


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache for each test, no request to the Hub, and no dataset by default."""
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    monkeypatch.setattr(datasets.config, "DOWNLOADED_DATASETS_PATH", tmp_path / "cache" / "downloads")
    monkeypatch.setattr(datasets.config, "HF_UPDATE_DOWNLOAD_COUNTS", False)
    monkeypatch.delenv("MYCANVAS_DATA", raising=False)
    return tmp_path / "cache"


@pytest.fixture(scope="session")
def scene() -> Callable[[str], dict[str, Any]]:
    """A row by its id: a 16x12 picture with two objects."""
    objects = np.zeros((12, 16), np.uint8)
    objects[2:6, 1:5], objects[4:10, 8:15] = 1, 2
    palette = Image.fromarray(objects, "P")
    palette.putpalette([0, 0, 0, 255, 0, 0, 0, 255, 0])
    image, mask = encoded(Image.new("RGB", (16, 12), "grey"), "JPEG"), encoded(palette, "PNG")
    return lambda name: {
        "id": name,
        "image": {"bytes": image, "path": None},
        "caption": "A dog stands to the left of a cat in a garden.",
        "prompt": "A <dog6> dog stands to the left of a <cat2> cat in a garden.",
        "long_caption": "A photo of a dog and a cat in a garden. The dog is small and stands on the left.",
        "boxes": [[1, 2, 4, 4], [8, 4, 7, 6]],
        "concept_tokens": ["<dog6>", "<cat2>"],
        "class_names": ["dog", "cat"],
        "mask": {"bytes": mask, "path": None},
        "background": "in a garden",
        "composition": "cat2+dog6",
        "num_objects": 2,
        "source_images": ["dog6/00.jpg", "cat2/01.jpg"],
        "scores": dict.fromkeys(SCORES, 0.5),
        "rank": None,
        "provenance": '{"seed": 0}',
    }


@pytest.fixture(scope="session")
def write_scenes(scene: Callable[[str], dict[str, Any]]) -> Write:
    """Writes a shard of scenes with the given ids, in the format of the path's suffix."""
    return lambda path, ids: write_shard(path, [scene(name) for name in ids], dataset_schema())


@pytest.fixture
def built(tmp_path: Path, write_scenes: Write) -> Path:
    """A built folder: two shards of objects_le3, one of objects_4, none of objects_5, and one of concepts."""
    folder = tmp_path / "built"
    write_scenes(folder / "data/objects_le3-00000-of-00002.arrow", ["a0", "a1", "a2"])
    write_scenes(folder / "data/objects_le3-00001-of-00002.arrow", ["a3", "a4"])
    write_scenes(folder / "data/objects_4-00000-of-00001.arrow", ["b0", "b1"])
    write_scenes(folder / ".build/candidates/objects_4-00000-of-00001.arrow", ["rejected"])
    write_checked(folder / ".build/selected.json", {"files": {}, "bytes": {}})
    photo = encoded(Image.new("RGB", (8, 8)), "JPEG")
    found = {"bytes": encoded(Image.new("L", (8, 8), 255), "PNG"), "path": None}
    dog = {"concept": "dog6", "concept_token": "<dog6>", "class_name": "dog"}
    rows: list[dict[str, Any]] = [
        {"id": "dog6/00.jpg", "image": {"bytes": photo, "path": None}, "mask": found, "used": True, **dog},
        {"id": "dog6/01.jpg", "image": {"bytes": photo, "path": None}, "mask": None, "used": False, **dog},
    ]
    write_shard(folder / "concepts/train-00000-of-00001.arrow", rows, concepts_schema())
    (folder / "README.md").write_text("---\nlicense: other\n---\n")
    return folder


def write_shard(path: Path, rows: list[dict[str, Any]], schema: pa.Schema) -> Path:
    """Two rows to a record batch."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows, schema=schema), path)
        return path
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, schema) as writer:
        for start in range(0, len(rows), 2):
            writer.write_batch(pa.RecordBatch.from_pylist(rows[start : start + 2], schema=schema))
    return path


def encoded(image: Image.Image, kind: str) -> bytes:
    """A picture as the bytes of a file."""
    content = io.BytesIO()
    image.save(content, kind)
    return content.getvalue()
