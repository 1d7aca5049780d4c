"""One shard, an Arrow IPC stream or a Parquet file: read its batches, check them, and notice when it has changed."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from datasets.exceptions import DatasetGenerationError

END_OF_STREAM = b"\xff\xff\xff\xff\0\0\0\0"
"""The last bytes of an Arrow IPC stream; pyarrow does not notice a stream that is cut between two batches."""
PARQUET_ROWS = 32
"""Rows that are read from Parquet at once: about 20 MB of images at 1024 pixels."""


class Loaded(int):
    """A local shard as it was when it was loaded, for a dataset's copies in other processes; as a number, it is 0.

    `datasets` pickles a memory-mapped table as its path and the operations to repeat. With this as the start of the
    first operation, `slice`, the shard is compared on both sides. Without, another shard under that path would be read.
    """

    file: str
    version: tuple[int, int]

    @classmethod
    def now(cls, file: str) -> Loaded | None:
        """The shard as it is now; None for a URL."""
        return cls.at(file, size_and_time(file)) if is_local(file) else None

    @classmethod
    def at(cls, file: str, version: tuple[int, int]) -> Loaded:
        """The shard of this size and time of modification."""
        loaded = cls(0)
        loaded.file, loaded.version = file, version
        return loaded

    def check(self) -> Loaded:
        """Return self if the shard has not changed.

        Raises:
            DatasetGenerationError: it was removed or written again; the message names it.
        """
        try:
            now = size_and_time(self.file)
        except FileNotFoundError:
            now = None
        if now != self.version:
            happened = "was removed" if now is None else "changed"
            raise DatasetGenerationError(
                f"{self.file} {happened} after this dataset was loaded; call load_dataset again to read what is there"
            )
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return _loaded, (self.check().file, self.version)

    def __deepcopy__(self, _copies: Any) -> Loaded:
        return self


def _loaded(file: str, version: tuple[int, int]) -> Loaded:
    return Loaded.at(file, version).check()


def size_and_time(file: str) -> tuple[int, int]:
    """The size in bytes and the time of modification in nanoseconds of a file; they change when it is rewritten."""
    stat = os.stat(file)
    return stat.st_size, stat.st_mtime_ns


def is_local(file: str) -> bool:
    """Whether a shard is a path, not a URL; paths are absolute and normalized, and so have no //."""
    return "://" not in file


def read_schema(file: str, source: Any) -> pa.Schema:
    """Read the schema of a shard, with lists as "Sequence", as `datasets` 3.6 has no "List"."""
    with _named(file):
        schema = pq.read_schema(source) if is_parquet(source) else pa.ipc.open_stream(source).schema
    named = {
        key: text.replace(b'"_type": "List"', b'"_type": "Sequence"') for key, text in (schema.metadata or {}).items()
    }
    return schema.with_metadata(named)


def read_batches(file: str, source: Any) -> Iterator[pa.RecordBatch]:
    """Read the validated record batches of a shard; validating a memory map reads no image.

    Raises:
        DatasetGenerationError: it is damaged, or a picture in it is only a path, which `datasets` would open.
    """
    with _named(file):
        media: list[int] | None = None
        for batch in _batches(source):
            if media is None:
                media = [index for index, field in enumerate(batch.schema) if "path: " in str(field.type)]
            if any(_has_path_only(batch.column(index)) for index in media):
                raise DatasetGenerationError(
                    f"{file} has a picture that is only a path; expected its bytes, as `mycanvas build` writes them"
                )
            yield batch


def _batches(source: Any) -> Iterator[pa.RecordBatch]:
    if is_parquet(source):
        yield from pq.ParquetFile(source).iter_batches(PARQUET_ROWS)
        return
    for batch in pa.ipc.open_stream(source):
        batch.validate(full=True)
        yield batch
    source.seek(-len(END_OF_STREAM), os.SEEK_END)
    if source.read() != END_OF_STREAM:
        raise pa.ArrowInvalid("the end of the stream is missing")


def _has_path_only(column: pa.Array) -> bool:
    """Whether a column has a picture, sound or film without its bytes, at any depth."""
    kind = column.type
    if pa.types.is_struct(kind):
        names = [kind.field(index).name for index in range(kind.num_fields)]
        if {"bytes", "path"}.issubset(names):
            content, path = column.field("bytes"), column.field("path")
            if not content.null_count:
                return False
            paths = pc.and_(column.is_valid(), pc.and_(content.is_null(), path.is_valid()))
            return bool(pc.any(paths).as_py())
        return any(map(_has_path_only, column.flatten()))
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        return pa.types.is_nested(kind.value_type) and _has_path_only(column.flatten())
    return False


def is_parquet(source: Any) -> bool:
    """Whether a shard is Parquet, by its content: a downloaded file has no suffix. Rewinds the source."""
    source.seek(0)
    magic = source.read(4)
    source.seek(0)
    return bool(magic == b"PAR1")


@contextlib.contextmanager
def _named(file: str) -> Iterator[None]:
    """Name the shard in errors of pyarrow."""
    try:
        yield
    except (pa.ArrowException, OSError, ValueError) as error:  # ValueError: of names that are not UTF-8
        raise DatasetGenerationError(
            f"{file} is damaged or cut off ({error}); copy or download it again, or build it again"
        ) from error
