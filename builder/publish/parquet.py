"""Write a shard of the dataset as Parquet for the Hub: pictures embedded, unchanged rows in unchanged bytes."""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from mycanvas.dataset.shards import read_schema, read_shard
from mycanvas.io.files import atomic
from mycanvas.models import cores

CHUNKING = {"min_chunk_size": 2**20, "max_chunk_size": 2**22, "norm_level": 0}
"""Where pages may be cut: by content, so that a changed row changes only its own pages. After a cut, the
minimum size is skipped without a search: with 1 MiB every second picture is searched, with the 256 KiB of `datasets`
every picture."""

ROW_GROUP_BYTES = 32 * 2**20
"""Bytes that must be read to get one row; the Hub's viewer accepts up to 300 MB."""

SPARE_BYTES = 2**20
"""Maximum by which a Parquet file is longer than its Arrow stream: pages have headers, but no padding."""

MAX_WRITERS = 8
"""Each writer holds one or two row groups in memory."""


def writers() -> int:
    """The number of shards to write at once: one more than there are cores, because each waits for the disk in turn."""
    return min(cores() + 1, MAX_WRITERS)


def write_parquet(source: Path, target: Path, only: Collection[str] | None = None) -> None:
    """Write an Arrow shard as Parquet; memory holds one row group. The same rows give the same bytes.

    Args:
        source: the Arrow shard.
        target: the Parquet file.
        only: ids of the rows to write; None: all rows.

    Raises:
        InputError: the shard cannot be read.
        StoreError: the Parquet file cannot be written.
    """
    schema = read_schema(str(source))
    with (
        atomic(target) as file,
        pa.OSFile(file.name, "wb") as native,  # writes to a Python file hold Python's lock, and block other threads
    ):
        _reserve(file, source.stat().st_size + SPARE_BYTES)
        writer = pq.ParquetWriter(
            native,
            schema,
            compression="none",  # pictures are compressed already, and the rest is a thousandth of them
            use_dictionary=False,  # one changed row would change the dictionary, and so the whole column
            write_statistics=[field.name for field in schema if not pa.types.is_nested(field.type)],
            use_content_defined_chunking=CHUNKING,
            write_page_index=True,
        )
        with writer:
            for rows in _row_groups(_chosen(read_shard(str(source)), only)):
                writer.write_table(rows, row_group_size=rows.num_rows)
            writer.add_key_value_metadata({"content_defined_chunking": json.dumps(CHUNKING)})
        file.truncate(native.tell())


def _reserve(file: BinaryIO, size: int) -> None:
    """Reserve the space first: a disk that fills up while pyarrow cuts pages by content crashes the process."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file.fileno(), 0, size)


def _chosen(batches: Iterator[pa.RecordBatch], only: Collection[str] | None) -> Iterator[pa.RecordBatch]:
    if only is None:
        return batches
    return (batch.filter(pa.array([name in only for name in batch["id"].to_pylist()])) for batch in batches)


def _row_groups(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.Table]:
    held: list[pa.RecordBatch] = []
    for batch in batches:
        held.append(batch)
        if sum(each.nbytes for each in held) >= ROW_GROUP_BYTES:
            yield pa.Table.from_batches(held)
            held = []
    if held:
        yield pa.Table.from_batches(held)
