from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from builder.publish.parquet import ROW_GROUP_BYTES, write_parquet
from mycanvas.schema import SCORES, dataset_schema

Arrow = Callable[..., Path]


@pytest.fixture
def arrow(tmp_path: Path) -> Arrow:
    """Writes a shard of so many rows whose pictures, of noise, take so many bytes."""

    def write(rows: int, size: int, batch: int = 8) -> Path:
        noise = np.random.default_rng(0)
        path = tmp_path / "shard.arrow"
        with pa.ipc.new_stream(str(path), dataset_schema()) as stream:
            for start in range(0, rows, batch):
                made = [row(f"s{index}", noise.bytes(size)) for index in range(start, min(start + batch, rows))]
                stream.write_batch(pa.RecordBatch.from_pylist(made, schema=dataset_schema()))
        return path

    return write


def row(name: str, picture: bytes) -> dict[str, Any]:
    text = dict.fromkeys(("caption", "prompt", "background", "composition", "provenance"), f"text of {name}")
    image = {"bytes": picture, "path": None}
    lists = {"concept_tokens": ["<a>"], "class_names": ["a"], "source_images": ["a/0.jpg"], "boxes": [[0, 1, 2, 3]]}
    return {
        "id": name,
        "image": image,
        "mask": image,
        "num_objects": 1,
        "scores": dict.fromkeys(SCORES),
        **text,
        **lists,
    }


def test_parquet_has_the_rows_and_features_of_the_shard(arrow: Arrow, tmp_path: Path) -> None:
    source = arrow(20, 100)

    write_parquet(source, tmp_path / "shard.parquet")

    with pa.memory_map(str(source)) as mapped:
        assert pq.read_table(tmp_path / "shard.parquet").equals(pa.ipc.open_stream(mapped).read_all())
    assert (
        pq.read_schema(tmp_path / "shard.parquet").metadata[b"huggingface"] == dataset_schema().metadata[b"huggingface"]
    )


def test_row_groups_are_small_and_pages_can_be_found(arrow: Arrow, tmp_path: Path) -> None:
    write_parquet(arrow(48, 2**20), tmp_path / "shard.parquet")

    found = pq.ParquetFile(tmp_path / "shard.parquet").metadata
    groups = [found.row_group(index) for index in range(found.num_row_groups)]
    assert sum(group.num_rows for group in groups) == 48
    assert len(groups) == 3
    assert max(group.total_byte_size for group in groups) < 1.1 * ROW_GROUP_BYTES
    assert all(group.column(0).has_offset_index and group.column(0).has_column_index for group in groups)


def test_the_same_rows_give_the_same_bytes(arrow: Arrow, tmp_path: Path) -> None:
    source = arrow(20, 1000)

    for name in ("a", "b"):
        write_parquet(source, tmp_path / name)

    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


WRITE = """
import resource, sys
from pathlib import Path
from mycanvas.errors import StoreError
from builder.publish.parquet import write_parquet
source, target, most = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
try:
    write_parquet(source, target)
except StoreError as error:
    sys.exit(f"error: {error}")
"""


@pytest.mark.parametrize("most", [100, 2_000_000, 33_000_000, 50_000_000])
def test_a_full_disk_is_reported_and_crashes_no_process(arrow: Arrow, tmp_path: Path, most: int) -> None:
    source, target = arrow(52, 2**19), tmp_path / "out" / "shard.parquet"

    done = subprocess.run(
        [sys.executable, "-c", WRITE, str(source), str(target), str(most)], capture_output=True, text=True
    )

    assert done.stderr.startswith(f"error: cannot write {target}: ")
    assert len(done.stderr.splitlines()) == 1
    assert not list(target.parent.iterdir())
