"""Progress of long work: a bar on a terminal; in a log, where a bar would be one endless line, a line now and then.

Both are information: they are shown where the logger `mycanvas` has the level INFO, as on the command line without -q.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Any, Self, TypeVar

from mycanvas.english import plural
from mycanvas.io.messages import byte_size

log = logging.getLogger("mycanvas")

SECONDS = 5.0
"""Time between two lines of a log, and before the first."""
DELAY = 1.0
"""Seconds before a bar appears: quick work needs none."""
BYTES = "B"
"""The unit of work that is measured in bytes."""

Item = TypeVar("Item")

_running: list[str] = []
"""Labels of the work that has begun and not ended; those of interrupted work stay."""


class Progress:
    """Shows how much of some work is done; a context manager around it.

    Args:
        label: the work, as in "composing".
        total: its amount.
        unit: of its amount, singular: "scene", or BYTES.
        done: the amount that an earlier run did.
        terminal: whether to draw a bar; None: if stderr is a terminal.
        clock: seconds that have passed, for the lines of a log.
    """

    def __init__(
        self,
        label: str,
        total: int,
        unit: str,
        *,
        done: int = 0,
        terminal: bool | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._label, self._total, self._unit, self._done, self._clock = label, total, unit, done, clock
        self._terminal = sys.stderr.isatty() if terminal is None else terminal
        self._bar: Any = None

    def __enter__(self) -> Self:
        _running.append(self._label)
        self._began = self._last = self._clock()
        if self._terminal and log.isEnabledFor(logging.INFO):
            from tqdm import tqdm

            scale = self._unit == BYTES
            counts: dict[str, Any] = {"total": self._total, "initial": self._done, "unit": self._unit}
            self._bar = tqdm(desc=self._label, unit_scale=scale, delay=DELAY, **counts)
        return self

    def update(self, amount: int = 1) -> None:
        """More of the work is done."""
        self._done += amount
        if self._bar is not None:
            self._bar.update(amount)
        elif not self._terminal and self._clock() - self._last >= SECONDS:
            self._last = self._clock()
            log.info("%s: %s", self._label, self._amount())

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.close()
        if kind is None or issubclass(kind, Exception):
            _running.remove(self._label)
        if kind is None:
            seconds = self._clock() - self._began
            level = logging.INFO if seconds >= SECONDS and not self._terminal else logging.DEBUG
            log.log(level, "%s: %s in %.0f s", self._label, self._amount(), seconds)

    def _amount(self) -> str:
        if self._unit == BYTES:
            return f"{byte_size(self._done)} of {byte_size(self._total)}"
        return f"{self._done} of {self._total} {plural(self._unit)}"


def tracked(items: Iterable[Item], label: str, total: int, unit: str) -> Iterator[Item]:
    """The items, one unit of progress each."""
    with Progress(label, total, unit) as progress:
        for item in items:
            yield item
            progress.update()


def running_work() -> str | None:
    """The label of the work that runs now, or that an interruption ended; None where there is none."""
    return _running[-1] if _running else None
