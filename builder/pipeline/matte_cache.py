"""Mattes of photos in the user's cache, for any build: each is found once for its photo and the segmenter's settings.

An entry is one checked JSON file, named by its key and written whole or not at all. Several processes share the cache
without a lock: an entry that one of them removes is missing for the others, and is made again. The time of modification
of an entry is that of its last use.
"""

from __future__ import annotations

import base64
import logging
import os
import re
import time
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from builder.stages.segment.base import Matte
from mycanvas.errors import MyCanvasError
from mycanvas.io.checked import read_checked_or_none, write_checked
from mycanvas.io.files import access_error, os_errors, results_cache, unfinished_pattern

log = logging.getLogger("mycanvas")

SIZE = "MYCANVAS_CACHE_SIZE"
"""The environment variable with the largest size of the cache, such as "500MB" or "2GB"."""
DEFAULT_SIZE = "1GB"

_UNITS: Mapping[str, int] = {"kb": 10**3, "mb": 10**6, "gb": 10**9}
_SIZE = re.compile(rf"(?P<number>\d+(\.\d+)?) ?(?P<unit>{'|'.join(_UNITS)})", re.IGNORECASE | re.ASCII)
_ENTRY = r"[0-9a-f]{64}\.json"
_NAME = re.compile(rf"{_ENTRY}|(?P<unfinished>{unfinished_pattern(_ENTRY)})")
_WRITING = 3600
"""Seconds for which an unfinished file may still be written by another process."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Entry:
    """The content of an entry. alpha: the matte's values times 255, uint8 [height, width], by zlib and base64."""

    quality: float
    height: int
    width: int
    alpha: str


@dataclass(frozen=True, kw_only=True, slots=True)
class CacheFile:
    """A file of the cache. size: in bytes. used: when it was last used, in nanoseconds."""

    path: Path
    size: int
    used: int


class MatteCache:
    """Mattes by key. It raises no error: an entry that cannot be used is missing.

    Args:
        folder: of the entries; it need not exist.

    Attributes:
        problem: why an entry could not be read or written, or removed; None if all could.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.problem: str | None = None

    def get(self, key: str, shape: tuple[int, ...]) -> Matte | None:
        """Read the matte of a photo of this height and width; None if it is missing or damaged."""
        with self._tolerant():
            entry = read_checked_or_none(self._file(key), _Entry)
            if entry is None or (entry.height, entry.width) != shape:
                return None
            levels = _unpack(entry.alpha, shape)
            if levels is None:
                return None
            with suppress(OSError):  # of a cache that can only be read
                os.utime(self._file(key))
            return Matte(alpha=levels.astype(np.float32) / np.float32(255), quality=entry.quality)
        return None

    def put(self, key: str, matte: Matte) -> None:
        """Write a matte, with 8 bits."""
        height, width = matte.alpha.shape
        entry = _Entry(quality=matte.quality, height=height, width=width, alpha=_pack(levels_of(matte)))
        with self._tolerant():
            write_checked(self._file(key), asdict(entry))

    def trim(self, size: int) -> None:
        """Remove the entries that were last used before all others, until the rest has at most this many bytes."""
        with self._tolerant():
            total = 0
            for file in sorted(cache_files(self.folder), key=lambda file: file.used, reverse=True):
                total += file.size
                if total > size:
                    file.path.unlink(missing_ok=True)

    def _file(self, key: str) -> Path:
        return self.folder / f"{key}.json"

    @contextmanager
    def _tolerant(self) -> Iterator[None]:
        """Note an error of the file system instead of raising it."""
        try:
            yield
        except MyCanvasError as error:
            self.problem = str(error)
        except OSError as error:
            self.problem = str(access_error(error))


def levels_of(matte: Matte) -> NDArray[np.uint8]:
    """The alpha of a matte times 255, uint8 [H, W]."""
    return np.rint(matte.alpha * 255).astype(np.uint8)


def cache_folder() -> Path | None:
    """The folder of the user's mattes; None if the user turned the cache off."""
    return results_cache("mattes")


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


def _pack(levels: NDArray[np.uint8]) -> str:
    return base64.b64encode(zlib.compress(levels.tobytes())).decode()


def _unpack(text: str, shape: tuple[int, ...]) -> NDArray[np.uint8] | None:
    """The values that `_pack` packed; None if they are not of this shape. Never expands more than they need."""
    expected = int(np.prod(shape))
    try:
        content = zlib.decompressobj().decompress(base64.b64decode(text), expected + 1)
    except (ValueError, zlib.error):
        return None
    return np.frombuffer(content, np.uint8).reshape(shape) if len(content) == expected else None
