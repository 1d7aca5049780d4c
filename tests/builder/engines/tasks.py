"""Tasks for the tests of engines; their workers import this module."""

from __future__ import annotations

import errno
import logging
import os
from pathlib import Path

from mycanvas.errors import StoreError


def double(number: int) -> int:
    return 2 * number


def warn_and_fail(reason: str) -> None:
    logging.getLogger("mycanvas").warning("about to fail")
    raise StoreError(reason)


def die_once(trace: Path) -> int:
    """Ends its process, the first time that it runs with this path."""
    if trace.exists():
        return 1
    trace.write_text("")
    os._exit(1)


def die(_: int) -> None:
    os._exit(1)


def lose_queue() -> None:
    """Fails as a worker does whose queue was closed by a pool that broke."""
    raise OSError(errno.EBADF, os.strerror(errno.EBADF))
