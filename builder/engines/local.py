"""A pool of processes on this machine."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from builder.errors import StoreError

Task = TypeVar("Task")
Result = TypeVar("Result")


class LocalEngine:
    """Runs tasks in `workers` processes; with one worker, in this process."""

    def __init__(self, workers: int) -> None:
        self.workers = workers

    def map(self, work: Callable[[Task], Result], tasks: Sequence[Task]) -> Iterator[Result]:
        """Yield results in the order in which they are finished.

        Raises:
            StoreError: a worker was killed from outside; what was finished stays finished.
        """
        if self.workers == 1 or len(tasks) <= 1:
            yield from map(work, tasks)
            return
        # Spawned, not forked: a fork copies locks that other threads (pyarrow's, OpenCV's) may hold.
        context = multiprocessing.get_context("spawn")
        pool = ProcessPoolExecutor(min(self.workers, len(tasks)), mp_context=context, initializer=_quiet_worker)
        try:
            for done in as_completed([pool.submit(work, task) for task in tasks]):
                yield done.result()
        except BrokenProcessPool as error:
            raise StoreError(
                "a worker process was killed, perhaps for want of memory; "
                f"run the same command again to go on, with fewer workers than {self.workers}"
            ) from error
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _quiet_worker() -> None:
    """Ctrl-C is for the parent: it cancels what has not begun and lets workers finish their task."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
