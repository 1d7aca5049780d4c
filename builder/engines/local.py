"""An engine that runs tasks in a pool of processes on this machine."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing.connection import wait
from multiprocessing.context import SpawnContext, SpawnProcess
from multiprocessing.process import BaseProcess
from types import FrameType, TracebackType
from typing import Self, TypeVar

from builder.engines.base import EngineOptions, on_stop_signal
from builder.engines.worker_logs import collect_logs, log_levels, logged, report
from mycanvas.errors import StoreError
from mycanvas.models.device import cores

Task = TypeVar("Task")
Result = TypeVar("Result")


class _Worker(SpawnProcess):
    """A worker process. Errors of tasks are results; where its queue breaks, it ends, and the parent reports that."""

    def run(self) -> None:
        """Run tasks until the pool ends."""
        try:
            super().run()
        except (EOFError, OSError):
            os._exit(1)


class _Workers(SpawnContext):
    """How workers start: spawned, not forked, as a fork copies locks that threads of pyarrow or OpenCV may hold."""

    Process = _Worker


WORKERS = _Workers()
"""Starts the processes of workers."""


class LocalEngine:
    """Runs tasks in `workers` processes, which live as long as the `with` block; with one worker, in this process."""

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self._pool: ProcessPoolExecutor | None = None

    @classmethod
    def start(cls, options: EngineOptions) -> Self:
        """Make the engine of a configuration."""
        return cls(options.workers or cores())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pool:
            _watch_workers()
            with on_stop_signal(_kill_workers):  # a second Ctrl-C does not wait for tasks
                self._pool.shutdown(wait=True, cancel_futures=True)

    def map(self, work: Callable[[Task], Result], tasks: Sequence[Task]) -> Iterator[Result]:
        """Yield results in the order in which they finish.

        Raises:
            StoreError: a worker was killed by another process; finished tasks stay finished.
        """
        if self.workers == 1 or (len(tasks) <= 1 and not self._pool):
            yield from map(work, tasks)
            return
        if not self._pool:
            self._pool = ProcessPoolExecutor(
                self.workers, mp_context=WORKERS, initializer=_start_worker, initargs=(log_levels(),)
            )
        try:
            with _delayed_interrupt():
                submitted = [self._pool.submit(logged, work, task) for task in tasks]
            _watch_workers()
            for done in as_completed(submitted):
                yield report(done)
        except BrokenProcessPool as error:
            raise StoreError(
                "a worker process was killed, perhaps because memory ran out; "
                f"run the same command again to resume, with fewer workers than {self.workers}"
            ) from error

    def report(self) -> str:
        """Nothing: all tasks ran on this machine, once."""
        return ""


@contextmanager
def _delayed_interrupt() -> Iterator[None]:
    """Delay Ctrl-C until all workers have started, and block it in workers, even before they can ignore it."""
    received: list[int] = []
    previous = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # started processes inherit this
    try:
        with on_stop_signal(lambda number, _: received.append(number)):
            yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, previous)
    for number in received:
        handler = signal.getsignal(number)
        if callable(handler):
            handler(number, None)  # raised as a signal, it would count as a second Ctrl-C
        else:
            signal.raise_signal(number)


def _kill_workers(_number: int, _frame: FrameType | None) -> None:
    """Kill all workers. This damages no file: an unfinished file has a temporary name."""
    for process in multiprocessing.active_children():
        process.kill()


def _watch_workers() -> None:
    threading.Thread(target=_end_together, args=(multiprocessing.active_children(),), daemon=True).start()


def _end_together(workers: Sequence[BaseProcess]) -> None:
    """Kill the other workers if one is killed: it may have held the lock that they wait for, and they would not end."""
    left = list(workers)
    while left:
        wait([worker.sentinel for worker in left])
        ended = [worker for worker in left if not worker.is_alive()]
        left = [worker for worker in left if worker not in ended]
        if any(worker.exitcode for worker in ended):
            for worker in left:
                worker.kill()


def _start_worker(levels: Mapping[str, int]) -> None:
    """Ignore Ctrl-C, so that the parent can cancel waiting tasks while running ones finish; exit if the parent dies."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    collect_logs(levels)
    threading.Thread(target=_exit_with_parent, daemon=True).start()


def _exit_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent:
        parent.join()
        os._exit(1)
