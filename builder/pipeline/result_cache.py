"""Results in the user's cache, for any build: mattes of photos, cut-outs and painted backgrounds, each made once.

An entry is one file, named by its key and written whole or not at all. It begins with a line of JSON that has a
checksum and the sha256 of what follows. Several processes share the cache without a lock: an entry that one of them
removes is missing for the others, and is made again. The time of modification of an entry is that of its last use.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

from mycanvas.errors import MyCanvasError, StoreError
from mycanvas.io.checked import parse_checked, with_checksum
from mycanvas.io.files import access_error, os_errors, results_cache, unfinished_pattern, write_bytes
from mycanvas.io.regular import read_regular

log = logging.getLogger("mycanvas")

SIZE = "MYCANVAS_CACHE_SIZE"
"""The environment variable with the largest size of the cache, such as "500MB" or "2GB"."""
DEFAULT_SIZE = "1GB"

_UNITS: Mapping[str, int] = {"kb": 10**3, "mb": 10**6, "gb": 10**9}
_SIZE = re.compile(rf"(?P<number>\d{{1,15}}(\.\d+)?) ?(?P<unit>{'|'.join(_UNITS)})", re.IGNORECASE | re.ASCII)
MATTE = ".matte"
"""The suffix of mattes. They are small, and finding one takes longest, so they are deleted after all other entries."""
PREPARED = ".prepared"
"""The suffix of cut-outs and painted backgrounds."""
_ENTRY = r"[0-9a-f]{64}\.(matte|prepared)"
_NAME = re.compile(rf"{_ENTRY}|(?P<unfinished>{unfinished_pattern(_ENTRY)})")
_KIND = re.compile(r"[a-z]+(\.[a-z]+)?")
_WRITING = 3600
"""Seconds for which an unfinished file may still be written by another process."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """Something that was made once. facts: about it, as JSON types. files: contents by their kind."""

    facts: Mapping[str, Any]
    files: Mapping[str, bytes]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Header:
    """The first line of an entry. files: the kind and the size of each content. sha256: of all contents together."""

    facts: Mapping[str, Any]
    files: tuple[tuple[str, int], ...]
    sha256: str


@dataclass(frozen=True, kw_only=True, slots=True)
class CacheFile:
    """A file of the cache. size: in bytes. used: when it was last used, in nanoseconds."""

    path: Path
    size: int
    used: int


class ResultCache:
    """Results by key. It raises no error: an entry that cannot be used is missing.

    Args:
        folder: of the entries; it need not exist.

    Attributes:
        problem: why an entry could not be read or written, or removed; None if all could.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.problem: str | None = None

    def get(self, key: str, suffix: str) -> Result | None:
        """Read a result; None if it is missing or damaged."""
        file = self.folder / f"{key}{suffix}"
        with self._tolerant():
            with os_errors(file, "read"):
                try:
                    content = read_regular(file)
                except FileNotFoundError:
                    return None
            result = _parsed(content)
            if result is not None:
                with suppress(OSError):  # of a cache that can only be read
                    os.utime(file)
            return result
        return None

    def put(self, key: str, suffix: str, result: Result) -> None:
        """Write a result."""
        content = b"".join(result.files.values())
        sizes = tuple((kind, len(each)) for kind, each in result.files.items())
        header = _Header(facts=result.facts, files=sizes, sha256=hashlib.sha256(content).hexdigest())
        line = json.dumps(with_checksum(asdict(header))).encode()
        with self._tolerant():
            write_bytes(self.folder / f"{key}{suffix}", line + b"\n" + content)

    def trim(self, size: int) -> None:
        """Remove the entries that were last used before all others, until the rest has at most this many bytes.

        Mattes are removed last.
        """
        with self._tolerant():
            total = 0
            latest = sorted(cache_files(self.folder), key=lambda file: file.used, reverse=True)
            for file in sorted(latest, key=lambda file: file.path.suffix != MATTE):
                total += file.size
                if total > size:
                    file.path.unlink(missing_ok=True)

    @contextmanager
    def _tolerant(self) -> Iterator[None]:
        """Note an error of the file system instead of raising it."""
        try:
            yield
        except MyCanvasError as error:
            self.problem = str(error)
        except OSError as error:
            self.problem = str(access_error(error))


def cache_folder() -> Path | None:
    """The folder of the user's results; None if the user turned the cache off."""
    return results_cache("results")


def cache_size() -> int:
    """The largest size of the cache in bytes, as the user set it; a wrong setting is reported, and has no effect."""
    given = os.environ.get(SIZE) or DEFAULT_SIZE
    match = _SIZE.fullmatch(given)
    if not match:
        log.warning("%s: expected a size such as 500MB or 2GB, got %r; using %s", SIZE, given, DEFAULT_SIZE)
        match = _SIZE.fullmatch(DEFAULT_SIZE)
    assert match  # noqa: S101 - the default is a size
    return int(float(match["number"]) * _UNITS[match["unit"].lower()])


def cache_files(folder: Path) -> list[CacheFile]:
    """List the entries of a cache, with the unfinished ones that killed processes left; other files are foreign.

    Raises:
        InputError: the folder cannot be read.
    """
    found: list[CacheFile] = []
    latest = time.time() - _WRITING
    with os_errors(folder, "read"):
        if not folder.is_dir():
            return found
        with os.scandir(folder) as entries:
            for entry in entries:
                match = _NAME.fullmatch(entry.name)
                if not match or not entry.is_file(follow_symlinks=False):
                    continue
                with suppress(FileNotFoundError):  # another process removed it
                    facts = entry.stat(follow_symlinks=False)
                    if match["unfinished"] and facts.st_mtime > latest:
                        continue
                    found.append(CacheFile(path=folder / entry.name, size=facts.st_size, used=facts.st_mtime_ns))
    return found


def _parsed(entry: bytes) -> Result | None:
    """The result that an entry holds; None if it is damaged."""
    line, _, content = entry.partition(b"\n")
    try:
        header = parse_checked(line, "", _Header)
    except StoreError:
        return None
    ends = list(accumulate((size for _, size in header.files), initial=0))
    if not all(_KIND.fullmatch(kind) for kind, _ in header.files):  # it becomes part of a path
        return None
    if ends[-1] != len(content) or hashlib.sha256(content).hexdigest() != header.sha256:
        return None
    parts = (content[start:end] for start, end in pairwise(ends))
    return Result(facts=header.facts, files=dict(zip((kind for kind, _ in header.files), parts, strict=True)))
