"""Shards of a built dataset: where they are, their record batches, and rows with pictures as views.

Local Arrow shards are memory-mapped: their views take no memory, and stay valid as long as they are held. Parquet and
remote shards are read one record batch at a time; a view of them keeps its batch in memory.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import pairwise, repeat
from typing import Any

from mycanvas.errors import InputError
from mycanvas.io.files import os_errors
from mycanvas.io.text import brief, printable

Columns = dict[str, Any]
"""The small columns of one row, by name."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Shards:
    """The shards of one configuration.

    files: paths or URLs by split. versions: for each file what changes when it is written again: size, time.
    """

    files: Mapping[str, Sequence[str]]
    versions: Mapping[str, Sequence[str]]


def local_path(place: str) -> str | None:
    """The absolute path of a place on this machine; None if it is the URL of another one.

    An existing path is never read as a URL: folders may be named "a::b", "file:a" or "s3:b".
    """
    if os.path.exists(place):
        return os.path.abspath(place)
    return None if "://" in place else os.path.abspath(os.path.expanduser(place))


def find_shards(place: str, config: str) -> Shards:
    """Find the shards of a configuration as the loader finds them.

    Args:
        place: a folder or an fsspec URL.
        config: "default", "all" or "concepts".

    Raises:
        InputError: there is no such dataset, or shards of it are missing.
    """
    with _reading(place):
        found = _builder(place, config).config.data_files
    files = {split: [str(file) for file in names] for split, names in found.items()}
    versions = {
        file: [str(part) for part in version]
        for split, names in files.items()
        for file, version in zip(names, found[split].origin_metadata, strict=True)
    }
    return Shards(files=files, versions=versions)


def cached_shards(place: str, config: str) -> dict[str, list[str]]:
    """Local Arrow shards with the rows of a configuration, by split: copies in the cache of `datasets` where needed.

    Raises:
        InputError: as for `find_shards`, or a shard cannot be read.
    """
    with _reading(place):
        builder = _builder(place, config)
        builder.download_and_prepare()
        return {
            split: [entry["filename"] for entry in rows.cache_files]
            for split, rows in builder.as_dataset(in_memory=False).items()
        }


def is_mappable(file: str) -> bool:
    """Whether a shard can be memory-mapped: Arrow, and on this machine."""
    return file.endswith(".arrow") and local_path(file) is not None


def read_shard(file: str) -> Iterator[Any]:
    """The record batches of a shard (pyarrow.RecordBatch), each validated.

    Raises:
        InputError: it cannot be opened, is damaged, or is cut off.
    """
    from mycanvas.shard_file import read_batches

    with _opened(file) as source:
        batches = read_batches(file, source)
        while True:
            with _reading(file):
                batch = next(batches, None)
            if batch is None:
                return
            yield batch


def read_schema(file: str) -> Any:
    """The schema of a shard (pyarrow.Schema).

    Raises:
        InputError: it cannot be opened, or is damaged.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    with _opened(file) as source:
        try:
            schema = pq.read_schema(source) if file.endswith(".parquet") else pa.ipc.open_stream(source).schema
            list(map(str, [*schema.names, *schema.types]))  # pyarrow decodes names only when they are used
            return schema
        except (OSError, ValueError, pa.ArrowException) as error:  # ValueError: of names that are not UTF-8
            raise InputError(f"{file} cannot be read: {printable(str(error))}") from error


def read_rows(
    files: Sequence[str],
    columns: Sequence[str],
    pictures: Sequence[str] = (),
    only: Collection[int] | None = None,
    optional: Sequence[str] = (),
) -> Iterator[tuple[Columns, tuple[memoryview, ...]]]:
    """Each row's small columns, and views of its encoded pictures; an empty view where a picture is null.

    Args:
        files: shards, in order.
        columns: small columns.
        pictures: columns of pictures.
        only: positions of the rows to give, counted over all files; None: all rows.
        optional: further small columns, None in the rows of a shard that lacks them.

    Raises:
        InputError: a shard cannot be read, or lacks a column.
    """
    start = 0
    for file in files:
        for batch in read_shard(file):
            with _reading(file):
                _check_columns(file, batch.schema, columns, pictures)
            chosen = [row for row in range(batch.num_rows) if only is None or start + row in only]
            start += batch.num_rows
            if not chosen:
                continue
            found = [name for name in optional if batch.schema.get_field_index(name) >= 0]
            small = batch.select([*columns, *found])
            with _reading(file):
                encoded = [_views(batch.column(name).field("bytes"), chosen) for name in pictures]
                values = (small if len(chosen) == batch.num_rows else small.take(chosen)).to_pylist()
            if len(found) < len(optional):
                values = [dict.fromkeys(optional) | row for row in values]
            yield from zip(values, zip(*encoded, strict=True) if encoded else repeat(()), strict=bool(encoded))


def _check_columns(file: str, schema: Any, columns: Sequence[str], pictures: Sequence[str]) -> None:
    """Refuse a shard that lacks a column, has it twice, or stores its pictures in another way."""
    import pyarrow as pa

    remedy = "expected a shard that `mycanvas build` wrote"
    for name in (*columns, *pictures):
        if (count := len(schema.get_all_field_indices(name))) != 1:
            raise InputError(f"{file} has {f'{count} columns' if count else 'no column'} {name}; {remedy}")
    for name in pictures:
        kind = schema.field(name).type
        inner = kind.field("bytes").type if pa.types.is_struct(kind) and kind.get_field_index("bytes") >= 0 else kind
        if not (pa.types.is_binary(inner) or pa.types.is_large_binary(inner)):
            raise InputError(f"{file} has no pictures in column {name}, but {brief(str(kind), 200)}; {remedy}")


def count_rows(files: Sequence[str]) -> int:
    """The number of rows of some shards.

    Raises:
        InputError: a shard cannot be read.
    """
    return sum(batch.num_rows for file in files for batch in read_shard(file))


def _builder(place: str, config: str) -> Any:
    import datasets

    import mycanvas  # noqa: F401  (registers the loader)

    return datasets.load_dataset_builder("mycanvas", config, data_dir=local_path(place) or place)


@contextmanager
def _reading(place: str) -> Iterator[None]:
    """Turn what `datasets` and the loader raise into an InputError; place: named where an error has no path."""
    from datasets.exceptions import DatasetGenerationError

    try:
        yield
    except (OSError, ValueError, ImportError, DatasetGenerationError) as error:
        if isinstance(error, OSError) and error.strerror:
            remedy = "check its rights and its disk"  # it may be of the cache of `datasets`, which is written
            name = error.filename or place
            raise InputError(f"the dataset cannot be read: {name}: {error.strerror}; {remedy}") from error
        raise InputError(f"the dataset cannot be read: {printable(str(error))}") from error


@contextmanager
def _opened(file: str) -> Iterator[Any]:
    """A shard as a file: memory-mapped if it is local, else opened through fsspec."""
    import fsspec
    import pyarrow as pa

    with ExitStack() as opened:
        with os_errors(file, "read"):
            if path := local_path(file):
                source = opened.enter_context(pa.memory_map(path))
            else:
                files, path = fsspec.core.url_to_fs(file)
                source = opened.enter_context(files.open(path, "rb"))
        yield source


def _views(column: Any, rows: Sequence[int]) -> list[memoryview]:
    """The bytes of some rows of a binary column, in place; empty for null."""
    import numpy as np
    import pyarrow as pa

    _, offsets, content = column.cast(pa.binary()).buffers()
    ends = np.frombuffer(offsets, np.int32)[column.offset : column.offset + len(column) + 1].tolist()
    spans = list(pairwise(ends))
    whole = memoryview(content or b"").cast("B")  # pyarrow's buffers are of signed bytes, which never equal bytes
    return [whole[slice(*spans[row])] for row in rows]
