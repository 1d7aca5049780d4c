"""Interface of the engines, and the signals that stop a build."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType, TracebackType
from typing import Protocol, Self, TypeVar

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)
"""Ctrl-C (SIGINT) and a request to terminate (SIGTERM), handled the same way."""

Task = TypeVar("Task")
Result = TypeVar("Result")


@dataclass(frozen=True, kw_only=True, slots=True)
class EngineOptions:
    """Where an engine runs, and what for.

    folder: where tasks write their results, or its URL. workers: the most there may be; None: as many as there are
    cores or GPUs. address: of the cluster; None: this machine. learned, device: whether tasks run models, and where.
    """

    folder: Path | str
    workers: int | None = None
    address: str | None = None
    learned: bool = False
    device: str = "auto"


class Engine(Protocol):
    """Runs tasks in any order and yields their results as they finish; workers live as long as the `with` block."""

    def __enter__(self) -> Self:
        """Enter the engine; it may start workers now or in `map`."""
        ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the workers."""
        ...

    def map(self, work: Callable[[Task], Result], tasks: Sequence[Task]) -> Iterator[Result]:
        """Call `work`, a module-level function, on each task; tasks and results must be picklable."""
        ...

    def report(self) -> str:
        """Where the tasks ran, and what was tried again: "2 nodes, 8 workers, 1 retry"; empty where nobody asks."""
        ...


@contextmanager
def on_stop_signal(handler: Callable[[int, FrameType | None], object]) -> Iterator[None]:
    """Replace the handler of STOP_SIGNALS; does nothing where they are ignored, or outside of the main thread."""
    in_main = threading.current_thread() is threading.main_thread()
    handled = [number for number in STOP_SIGNALS if in_main and signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, handler) for number in handled}
    try:
        yield
    finally:
        for number, previous in before.items():
            signal.signal(number, previous)
