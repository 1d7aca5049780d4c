"""A pool of processes on this machine."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Self, TypeVar

from builder.engines.base import STOP_SIGNALS
from mycanvas.errors import StoreError

Task = TypeVar("Task")
Result = TypeVar("Result")


class LocalEngine:
    """Runs tasks in `workers` processes, which live as long as the `with` block; with one worker, in this process."""

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pool:
            with _on_signal(_kill_workers):  # a second Ctrl-C waits no longer
                self._pool.shutdown(wait=True, cancel_futures=True)

    def map(self, work: Callable[[Task], Result], tasks: Sequence[Task]) -> Iterator[Result]:
        """Yield results in the order in which they are finished.

        Raises:
            StoreError: a worker was killed from outside; what was finished stays finished.
        """
        if self.workers == 1 or (len(tasks) <= 1 and not self._pool):
            yield from map(work, tasks)
            return
        if not self._pool:
            # Spawned, not forked: a fork copies locks that other threads (pyarrow's, OpenCV's) may hold.
            spawn = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(self.workers, mp_context=spawn, initializer=_depend_on_parent)
        with _uninterrupted():
            submitted = [self._pool.submit(work, task) for task in tasks]
        try:
            for done in as_completed(submitted):
                yield done.result()
        except BrokenProcessPool as error:
            raise StoreError(
                "a worker process was killed, perhaps for want of memory; "
                f"run the same command again to go on, with fewer workers than {self.workers}"
            ) from error


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Ctrl-C waits until workers are started whole. They never get it, not even before they can ignore it."""
    came: list[int] = []
    held = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # processes that are started inherit this
    try:
        with _on_signal(lambda number, _: came.append(number)):
            yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, held)
    for number in came:
        handler = signal.getsignal(number)
        if callable(handler):
            handler(number, None)  # raised as a signal, it would count as a second Ctrl-C
        else:
            signal.raise_signal(number)


@contextmanager
def _on_signal(handler: Callable[[int, FrameType | None], object]) -> Iterator[None]:
    """What Ctrl-C does meanwhile; nothing changes where it is ignored, and in threads, to which it never comes."""
    here = threading.current_thread() is threading.main_thread()
    heeded = [number for number in STOP_SIGNALS if here and signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, handler) for number in heeded}
    try:
        yield
    finally:
        for number, usual in before.items():
            signal.signal(number, usual)


def _kill_workers(_number: int, _frame: FrameType | None) -> None:
    """What they write has no name yet."""
    for process in multiprocessing.active_children():
        process.kill()


def _depend_on_parent() -> None:
    """On Ctrl-C the parent cancels what has not begun, and workers finish their task; without it they end at once."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent:
        parent.join()
        os._exit(1)
