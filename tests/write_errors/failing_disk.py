"""A disk that fails at a chosen write, for this process and all that it starts (failing_writes.c).

The library must be loaded when a process starts: `environment` is that of a program, which then calls `FailingDisk`.
"""

from __future__ import annotations

import errno
import mmap
import os
import shutil
import struct
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

SOURCE = Path(__file__).with_name("failing_writes.c")
SETTINGS = "FAILING_WRITES"
"""The environment variable with the file of the settings, by which the library finds them too."""
KINDS = {
    "open": 1,
    "write": 2,
    "flush": 4,
    "resize": 8,
    "close": 16,
    "name": 32,
    "folder": 64,
    "remove": 128,
    "reopen": 256,
}
"""The kinds of calls, by their numbers in the library.

"open" makes a file, "reopen" opens an existing one; "name" renames or links; "folder" makes one.
"""

_LAYOUT = struct.Struct("=4q4i4096s4096s8192s")


@dataclass(frozen=True, kw_only=True, slots=True)
class Mode:
    """How calls fail. number: an errno. stays: from the chosen call on, all fail, of the kinds that need room."""

    name: str
    number: int
    stays: bool = False


MODES = (
    Mode(name="ENOSPC", number=errno.ENOSPC),
    Mode(name="EIO", number=errno.EIO),
    Mode(name="full disk", number=errno.ENOSPC, stays=True),
)
_WITHOUT_ROOM = KINDS["reopen"]
_WHEN_FULL = KINDS["reopen"] | KINDS["remove"] | KINDS["close"]
"""Calls that need no room: the first never; the others work on a disk that is full for long."""


def compiler() -> str | None:
    """The C compiler of this machine, if there is one."""
    return shutil.which("cc")


def environment(scratch: Path) -> Mapping[str, str]:
    """Compile the library; return the variables that a program needs so that its writes can fail."""
    library, settings = scratch / "failing_writes.so", scratch / "settings"
    compile_it = [compiler() or "cc", "-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o", library, SOURCE]
    subprocess.run(compile_it, check=True)
    settings.write_bytes(bytes(_LAYOUT.size))
    return {"LD_PRELOAD": str(library), SETTINGS: str(settings)}


class FailingDisk:
    """The settings that the library reads, in a program started with `environment`.

    Args:
        root: the folder below which calls are numbered, and fail.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        with open(os.environ[SETTINGS], "r+b") as file:
            self._memory = mmap.mmap(file.fileno(), _LAYOUT.size)
        self._listed = Path(os.environ[SETTINGS]).with_name("listed")

    @contextmanager
    def listing(self, found: list[str], *, but: bool = False) -> Iterator[None]:
        """Add the calls to a list, each as "kind path"; but: not those of the process that calls `leave_out`."""
        self._listed.unlink(missing_ok=True)
        self._set(listed=True, but=but)
        try:
            yield
        finally:
            self._clear()
        found += self._listed.read_text(encoding="utf-8").splitlines() if self._listed.exists() else []

    @contextmanager
    def failing(self, number: int, mode: Mode, hits: list[str], *, but: bool = False) -> Iterator[None]:
        """Let the call of this number fail, from 1 on; add the first call that failed to the list."""
        last = 2**62 if mode.stays else number
        spared = _WHEN_FULL if mode.stays else _WITHOUT_ROOM if mode.number == errno.ENOSPC else 0
        kinds = sum(KINDS.values()) - spared
        self._set(first=number, last=last, error=mode.number, kinds=kinds, but=but)
        try:
            yield
        finally:
            hits += self._clear()

    def leave_out(self) -> None:
        """Neither number nor fail the calls of this process, where the caller of `failing` asked for it."""
        values = list(_LAYOUT.unpack_from(self._memory))
        if values[6]:
            values[6] = os.getpid()
            _LAYOUT.pack_into(self._memory, 0, *values)

    def _set(
        self, *, first: int = 0, last: int = 0, error: int = 0, kinds: int = 0, listed: bool = False, but: bool
    ) -> None:
        names = (os.fsencode(self.root), os.fsencode(self._listed), b"")
        _LAYOUT.pack_into(self._memory, 0, first, last, 0, 0, error, kinds, -1 if but else 0, listed, *names)

    def _clear(self) -> list[str]:
        *_, hit = _LAYOUT.unpack_from(self._memory)
        _LAYOUT.pack_into(self._memory, 0, *[0] * 8, b"", b"", b"")
        return [os.fsdecode(hit.rstrip(b"\0").rstrip(b"\n"))] if hit.rstrip(b"\0") else []
