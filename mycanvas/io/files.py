"""Files that are written whole or not at all; errors of the file system, with a remedy."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import secrets
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Literal

from mycanvas.errors import InputError, StoreError

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
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.ELOOP: "its symbolic link leads back to itself; remove it, or choose another place",
    errno.EIO: "the disk failed; choose a place on another one",
}
"""How to fix an error of the file system while writing, by its errno."""
_READING: Mapping[int, str] = {
    errno.EACCES: "give this user the right to read it",
    errno.EPERM: "give this user the right to read it",
    errno.ENOTDIR: "a part of this path is not a folder; correct the path",
    errno.ENOENT: "correct the path, or restore the file",
    errno.EISDIR: "expected a file, not a folder",
    errno.ENAMETOOLONG: "correct the path, or rename the file",
    errno.ELOOP: "its symbolic link leads back to itself; correct the link",
    errno.EIO: "the disk failed; restore it from a copy",
}
"""How to fix an error of the file system while reading, by its errno."""

Action = Literal["read", "write"]


CACHE = "MYCANVAS_CACHE"
"""The environment variable with the folder of the user's cache; OFF: results are not kept there."""
OFF = "off"


def user_cache(name: str) -> Path:
    """Return the folder of this name in the user's cache: $MYCANVAS_CACHE/NAME, else ~/.cache/mycanvas/NAME."""
    given = os.environ.get(CACHE)
    if given and not _is_off(given):
        return Path(os.path.expanduser(given)) / name
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "mycanvas" / name


def results_cache(name: str) -> Path | None:
    """Return `user_cache` for results that can be computed again; None if the user turned it off."""
    return None if _is_off(os.environ.get(CACHE, "")) else user_cache(name)


def _is_off(cache: str) -> bool:
    return cache.lower() == OFF


def is_inside(path: Path, folder: Path) -> bool:
    """Whether a path is in a folder, or the folder itself, with symbolic links followed; neither need exist."""
    return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder))


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
def atomic(path: Path, final: Callable[[Path], Path | None] | None = None) -> Iterator[BinaryIO]:
    """Open a binary file that is flushed to the disk and gets its name only when the block ends without an error.

    Args:
        path: the file.
        final: gives the name that the flushed file gets, where it depends on the content; None: there is a whole one.

    Raises:
        StoreError: it cannot be written; the message says how to fix it. Nothing of the file is left.
    """
    temporary = unfinished(path)
    with os_errors(path.parent if final else path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("xb") as file:
            try:
                yield file
                file.flush()
                os.fsync(file.fileno())
                name = final(temporary) if final else path
                temporary.replace(name) if name else temporary.unlink()
            except BaseException:
                temporary.unlink(missing_ok=True)
                raise
        sync_folder(path.parent)


def unfinished(path: Path) -> Path:
    """A new temporary name beside a file, for its content until it is whole; no other process uses or foresees it."""
    return path.with_name(f".{path.name}.{secrets.token_hex(_RANDOM_BYTES)}{UNFINISHED}")


def unfinished_pattern(name: str) -> str:
    """A regular expression of the results of `unfinished`, for names that match a regular expression."""
    return rf"\.(?:{name})\.[0-9a-f]{{{2 * _RANDOM_BYTES}}}{re.escape(UNFINISHED)}"


def remove_unfinished(folder: Path, names: Collection[str] | None = None) -> None:
    """Remove what killed processes left of files of these names in a folder and below; None: of any name."""
    for file in folder.rglob(f".*{UNFINISHED}"):
        match = re.fullmatch(unfinished_pattern("(?P<name>.+)"), file.name)
        if match and (names is None or match["name"] in names):
            file.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Flush the names in a folder to the disk, as fsync does for the content of a file.

    Raises:
        StoreError: the folder cannot be flushed.
    """
    with os_errors(folder):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextmanager
def os_errors(path: Path | str, action: Action = "write") -> Iterator[None]:
    """Turn OSError into an error that says which path cannot be read or written, why, and how to fix it.

    Raises:
        InputError: the path cannot be read.
        StoreError: it cannot be written.
    """
    try:
        yield
    except OSError as error:
        raised = InputError if action == "read" else StoreError
        inner = f" ({error.filename})" if _is_within(error.filename, path) else ""
        raise raised(f"cannot {action} {path}: {reason_of(error, action, inner)}") from error


def access_error(error: OSError) -> StoreError:
    """Describe an error of the file system of which only the path is known, not what was done with it."""
    file = error.filename2 or error.filename
    place = f"cannot access {os.fsdecode(file)}: " if isinstance(file, str | bytes | os.PathLike) else ""
    remedy = _ROOM if error.errno in {errno.ENOSPC, errno.EDQUOT} else "check this path, its rights and its disk"
    return StoreError(f"{place}{error.strerror or error}; {remedy}")


def reason_of(error: OSError, action: Action, place: str = "") -> str:
    """Why a path cannot be read or written, and how to fix it; place: put after the reason."""
    other = "choose another place" if action == "write" else "give another path, or restore it from a copy"
    reason = os.strerror(error.errno) if error.errno else str(error)  # pyarrow's own words repeat the path
    return f"{reason}{place}; {remedy_for(error, action) or other}"


def _is_within(name: object, folder: Path | str) -> bool:
    """Whether the path in an error is in a folder and is not a temporary name."""
    if not isinstance(name, str) or UNFINISHED in name:
        return False
    return Path(os.path.abspath(folder)) in Path(os.path.abspath(name)).parents


def remedy_for(error: OSError, action: Action = "write") -> str | None:
    """How to fix an error of the file system; None where the error is of another kind."""
    return (_READING if action == "read" else _REMEDIES).get(error.errno or 0)


def write_stream(path: Path, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> str:
    """Write an Arrow IPC stream, whole or not at all; return the sha256 of what was written."""
    with atomic(path) as file:
        _write_batches(file, schema, batches)
        return written_sha256(file)


def write_stream_by_digest(name: Callable[[str], Path], schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> str:
    """Write an Arrow IPC stream, whole or not at all, to a file that is named by its sha256, which is returned.

    Args:
        name: the file of a sha256; all are in one folder. A whole one is kept.
        schema: of the batches.
        batches: the content.
    """
    digests: list[str] = []

    def final(written: Path) -> Path | None:
        digests.append(sha256_of(written))
        return None if has_sha256(name(digests[0]), digests[0]) else name(digests[0])

    with atomic(name("0" * 64), final) as file:
        _write_batches(file, schema, batches)
    return digests[0]


def _write_batches(file: BinaryIO, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> None:
    import pyarrow as pa

    with pa.ipc.new_stream(file, schema) as writer:
        for batch in batches:
            writer.write_batch(batch)


def sha256_of(path: Path) -> str:
    """The sha256 of a file's bytes, in hexadecimal.

    Raises:
        InputError: the file cannot be read.
    """
    with os_errors(path, "read"), path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def written_sha256(file: BinaryIO) -> str:
    """The sha256 of what was written to a file of `atomic`, before it has the name under which others may replace it.

    Raises:
        InputError: the file cannot be read.
    """
    file.flush()
    return sha256_of(Path(file.name))


def has_sha256(path: Path, digest: str) -> bool:
    """Whether a file exists and has this sha256.

    Raises:
        InputError: the file cannot be read.
    """
    return path.is_file() and sha256_of(path) == digest
