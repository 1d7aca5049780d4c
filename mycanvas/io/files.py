"""Files that are written whole or not at all, and what to do when they cannot be."""

from __future__ import annotations

import errno
import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from mycanvas.errors import StoreError

if TYPE_CHECKING:
    import pyarrow as pa

UNFINISHED = ".unfinished"
"""The ending of a file that is being written; one that is found was left by a process that was killed."""

_ROOM = "make room, then run the same command again"
_PERMISSION = "choose a place that you may write to"
_PATH = "a part of this path is not a folder; choose another"
_REMEDIES: Mapping[int, str] = {
    errno.ENOSPC: _ROOM,
    errno.EDQUOT: _ROOM,
    errno.EFBIG: _ROOM,
    errno.EACCES: _PERMISSION,
    errno.EPERM: _PERMISSION,
    errno.EROFS: _PERMISSION,
    errno.ENOTDIR: _PATH,
    errno.EEXIST: _PATH,
    errno.ENOENT: _PATH,
    errno.EISDIR: "a folder has this name; choose another",
}
"""What to do about what the system says."""


def write_text(path: Path, text: str) -> None:
    """A UTF-8 text file, written whole or not at all."""
    write_bytes(path, text.encode())


def write_bytes(path: Path, content: bytes) -> None:
    """A file, written whole or not at all."""
    with atomic(path) as file:
        file.write(content)


def write_json(path: Path, values: Any) -> None:
    """A JSON file with sorted keys, written whole or not at all."""
    write_text(path, json.dumps(values, indent=1, sort_keys=True, ensure_ascii=False) + "\n")


@contextmanager
def atomic(path: Path) -> Iterator[BinaryIO]:
    """A binary file that is flushed to the disk and gets its name only when the block ends well.

    Raises:
        StoreError: it cannot be written; the message says what to do. Nothing of the file is left.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}{UNFINISHED}")
    with told(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with temporary.open("wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
            sync_folder(path.parent)
        finally:
            temporary.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder last, as fsync does a file's content."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def told(path: Path) -> Iterator[None]:
    """Turn what the system says into what to do."""
    try:
        yield
    except OSError as error:
        remedy = _REMEDIES.get(error.errno or 0, "choose another place")
        raise StoreError(f"cannot write {path}: {error.strerror or error}; {remedy}") from error


def write_stream(path: Path, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> None:
    """An Arrow IPC stream, written whole or not at all."""
    import pyarrow as pa

    with atomic(path) as file, pa.ipc.new_stream(file, schema) as writer:
        for batch in batches:
            writer.write_batch(batch)


def read_json(path: Path) -> Any:
    """A JSON file of ours.

    Raises:
        StoreError: it is missing or damaged.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise StoreError(f"cannot read {path}: {error}; run the same `mycanvas build` again") from error


def stored(path: Path) -> Any | None:
    """The same, but None where it is missing or damaged: what it is about is then made again."""
    try:
        return read_json(path)
    except StoreError:
        return None


def sha256_of(path: Path) -> str:
    """The sha256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
