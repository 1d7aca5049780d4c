"""A shard of the dataset as Parquet, as the Hub wants it: pictures embedded, unchanged parts in unchanged bytes."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from mycanvas.io.files import atomic
from mycanvas.models import cores

CHUNKING = {"min_chunk_size": 2**20, "max_chunk_size": 2**22, "norm_level": 0}
"""Where pages may be cut: by content, so that a changed row changes its own pages only. What is shorter than the least
is not looked at, which every second picture is with 1 MiB; with the 256 KiB of `datasets`, all are."""

ROW_GROUP_BYTES = 32 * 2**20
"""What has to be read for one row; the Hub's viewer takes up to 300 MB."""

SPARE_BYTES = 2**20
"""What a Parquet file may be longer than its Arrow stream: pages have headers, but nothing is padded."""

MOST_WRITERS = 8
"""Each holds a row group or two in memory."""


def writers() -> int:
    """How many shards to write at once: while one waits for the disk, each core has another."""
    return min(cores() + 1, MOST_WRITERS)


def write_parquet(source: Path, target: Path) -> None:
    """Write an Arrow IPC stream as Parquet; memory holds one row group. The same rows give the same bytes."""
    with (
        pa.memory_map(str(source)) as mapped,
        pa.ipc.open_stream(mapped) as stream,
        atomic(target) as file,
        pa.OSFile(file.name, "wb") as past_python,  # whose files hold its lock, for which other threads would wait
    ):
        _reserve(file, source.stat().st_size + SPARE_BYTES)
        writer = pq.ParquetWriter(
            past_python,
            stream.schema,
            compression="none",  # pictures are compressed already, and the rest is a thousandth of them
            use_dictionary=False,  # one that a row changed would change the whole column
            write_statistics=[field.name for field in stream.schema if not pa.types.is_nested(field.type)],
            use_content_defined_chunking=CHUNKING,
            write_page_index=True,
        )
        with writer:
            for rows in _row_groups(stream):
                writer.write_table(rows, row_group_size=rows.num_rows)
            writer.add_key_value_metadata({"content_defined_chunking": json.dumps(CHUNKING)})
        file.truncate(past_python.tell())


def _reserve(file: BinaryIO, size: int) -> None:
    """Take room on the disk: one that gets full while pyarrow cuts pages by content ends the process, uncaught."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file.fileno(), 0, size)


def _row_groups(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.Table]:
    held: list[pa.RecordBatch] = []
    for batch in batches:
        held.append(batch)
        if sum(each.nbytes for each in held) >= ROW_GROUP_BYTES:
            yield pa.Table.from_batches(held)
            held = []
    if held:
        yield pa.Table.from_batches(held)
