"""Tasks for the tests of engines; their workers import this module."""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

from builder.engines.local import SPAWN
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


def fill(size: int) -> bytes:
    return bytes(size)


def fill_with_ones(size: int) -> bytes:
    return b"\xff" * size


def blocks_ctrl_c(_: int) -> bool:
    return signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, ())


def make_unpicklable(_: int) -> object:
    return threading.Lock()


def refuse_to_unpickle(error: Exception) -> int:
    raise error


class Unpicklable(int):
    """A number that cannot be unpickled."""

    error: Exception

    def __reduce__(self) -> tuple[Callable[[Exception], int], tuple[Exception]]:
        return refuse_to_unpickle, (self.error,)


class KilledEarlier(SPAWN.Process):
    """A worker before whose start an earlier one is killed."""

    begun: ClassVar[list[KilledEarlier]] = []

    def start(self) -> None:
        for worker in self.begun:
            worker.kill()
        super().start()
        self.begun.append(self)


class KilledAtOnce(SPAWN.Process):
    """A worker that is killed as it starts."""

    def start(self) -> None:
        super().start()
        self.kill()
