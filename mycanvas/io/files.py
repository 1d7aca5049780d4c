"""Files that are written whole or not at all; errors of the file system, with a remedy."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import secrets
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from mycanvas.errors import StoreError

if TYPE_CHECKING:
    import pyarrow as pa

UNFINISHED = ".unfinished"
"""The suffix of a file that is being written; a file that keeps it was left by a process that was killed."""
_RANDOM_BYTES = 8

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
"""How to fix an error of the file system, by its errno."""


def user_cache(name: str) -> Path:
    """Return the folder of this name in the user's cache: ~/.cache/mycanvas/NAME."""
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "mycanvas" / name


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 text file, whole or not at all."""
    write_bytes(path, text.encode())


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file, whole or not at all."""
    with atomic(path) as file:
        file.write(content)


def write_json(path: Path, values: Any) -> None:
    """Write an ASCII JSON file with sorted keys, whole or not at all."""
    write_text(path, json.dumps(values, indent=1, sort_keys=True) + "\n")


@contextmanager
def atomic(path: Path) -> Iterator[BinaryIO]:
    """Open a binary file that is flushed to the disk and gets its name only when the block ends without an error.

    Raises:
        StoreError: it cannot be written; the message says how to fix it. Nothing of the file is left.
    """
    temporary = unfinished(path)
    with os_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("xb") as file:
            try:
                yield file
                file.flush()
                os.fsync(file.fileno())
                temporary.replace(path)
            except BaseException:
                temporary.unlink(missing_ok=True)
                raise
        sync_folder(path.parent)


def unfinished(path: Path) -> Path:
    """A new name for a file while it is written: no other process uses or foresees it."""
    return path.with_name(f".{path.name}.{secrets.token_hex(_RANDOM_BYTES)}{UNFINISHED}")


def unfinished_pattern(name: str) -> str:
    """A regular expression of the results of `unfinished`, for names that match a regular expression."""
    return rf"\.(?:{name})\.[0-9a-f]{{{2 * _RANDOM_BYTES}}}{re.escape(UNFINISHED)}"


def sync_folder(folder: Path) -> None:
    """Flush the names in a folder to the disk, as fsync does for the content of a file."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def os_errors(path: Path) -> Iterator[None]:
    """Turn OSError into StoreError: which path cannot be written, why, and how to fix it."""
    try:
        yield
    except OSError as error:
        remedy = remedy_for(error) or "choose another place"
        raise StoreError(f"cannot write {path}: {error.strerror or error}; {remedy}") from error


def remedy_for(error: OSError) -> str | None:
    """How to fix an error of the file system; None where the error is of another kind."""
    return _REMEDIES.get(error.errno or 0)


def write_stream(path: Path, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> None:
    """Write an Arrow IPC stream, whole or not at all."""
    import pyarrow as pa

    with atomic(path) as file, pa.ipc.new_stream(file, schema) as writer:
        for batch in batches:
            writer.write_batch(batch)


def sha256_of(path: Path) -> str:
    """The sha256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
