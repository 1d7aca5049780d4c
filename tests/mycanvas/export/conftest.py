"""A dataset as `mycanvas build` makes it, and the rows of its shards, read without mycanvas."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

Row = dict[str, Any]


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


def rows_of(shard: Path) -> list[Row]:
    """The rows of a shard."""
    with pa.ipc.open_stream(shard.read_bytes()) as stream:
        rows: list[Row] = stream.read_all().to_pylist()
    for row in rows:
        for name in ("image", "mask"):
            row[name] = row[name] and row[name]["bytes"]
    return rows
