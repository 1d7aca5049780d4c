"""Open regular files only: a pipe or a device in place of a file must not make a program wait."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import BinaryIO

from mycanvas.errors import InputError


def open_regular(path: Path) -> BinaryIO:
    """Open a regular file to read it; symbolic links are followed.

    Raises:
        InputError: the path is something else.
        OSError: it cannot be opened.
    """
    # Opening a pipe would wait for its writer, opening a device may change it.
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
    mode = os.stat(path).st_mode
    if stat.S_ISDIR(mode):
        raise InputError("a folder; expected a file")
    if not stat.S_ISREG(mode):
        raise InputError("a pipe or a device, not a regular file")
    return open(os.open(path, flags), "rb")


def read_regular(path: Path) -> bytes:
    """Read a regular file; symbolic links are followed.

    Raises:
        InputError: the path is something else; the message names it.
        OSError: it cannot be read.
    """
    try:
        with open_regular(path) as file:
            return file.read()
    except InputError as error:
        raise InputError(f"{path} is {error}") from error


def read_start(path: Path, size: int) -> bytes:
    """The first bytes of a regular file; empty if there is no such file or it cannot be read."""
    try:
        with open_regular(path) as file:
            return file.read(size)
    except (OSError, InputError):
        return b""
