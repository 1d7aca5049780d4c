"""An engine that runs tasks in processes on this machine.

Each worker has a pipe of its own, so that a worker that is killed, at any moment, is the end of that pipe and no more.
The workers of `concurrent.futures` share a queue and its locks: where one is killed that holds a lock, has sent half of
a result, or has not yet been noted as started, its pool waits for ever (Python 3.11).
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.reduction import ForkingPickler
from types import FrameType, TracebackType
from typing import Any, Self, TypeVar, cast

from builder.engines.base import EngineOptions, on_stop_signal
from builder.engines.worker_logs import Logged, collect_logs, log_levels, logged, report
from mycanvas.errors import StoreError
from mycanvas.models.device import cores

Task = TypeVar("Task")
Result = TypeVar("Result")

SPAWN = multiprocessing.get_context("spawn")
"""How workers start: not forked, as a fork copies locks that threads of pyarrow or OpenCV may hold."""


class LocalEngine:
    """Runs tasks in `workers` processes, which live as long as the `with` block; with one worker, in this process."""

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self._workers: list[_Worker] = []

    @classmethod
    def start(cls, options: EngineOptions) -> Self:
        """Make the engine of a configuration."""
        return cls(options.workers or cores())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def map(self, work: Callable[[Task], Result], tasks: Sequence[Task]) -> Iterator[Result]:
        """Yield results in the order in which they finish; the results of one call must be taken before the next call.

        Raises:
            StoreError: a worker was killed by another process; finished tasks stay finished.
        """
        if self.workers == 1 or (len(tasks) <= 1 and not self._workers):
            yield from map(work, tasks)
            return
        waiting, busy = iter(tasks), dict[Connection, _Worker]()
        try:
            self._start(len(tasks))
            for worker, task in zip(self._workers, waiting, strict=False):
                busy[worker.connection] = worker
                worker.begin(work, task)
            while busy:
                for connection in cast("list[Connection]", wait(list(busy))):
                    done = busy[connection].result()
                    for task in waiting:
                        busy[connection].begin(work, task)
                        break
                    else:
                        del busy[connection]
                    yield report(done)
        except _KilledError as error:
            raise StoreError(
                "a worker process was killed, perhaps because memory ran out; "
                f"run the same command again to resume, with fewer workers than {self.workers}"
            ) from error
        finally:
            if busy:
                self._end()

    def report(self) -> str:
        """Nothing: all tasks ran on this machine, once."""
        return ""

    def _start(self, tasks: int) -> None:
        """Start the workers that are missing for so many tasks."""
        resource_tracker.ensure_running()  # else the first worker starts it, which unblocks Ctrl-C for all of them
        with _delayed_interrupt():
            while len(self._workers) < min(self.workers, tasks):
                self._workers.append(_Worker())

    def _end(self) -> None:
        """End the workers, after the tasks that they are at. A second Ctrl-C does not wait for these."""
        with on_stop_signal(self._kill):
            for worker in self._workers:
                worker.stop()
            for worker in self._workers:
                worker.join()
        self._workers = []

    def _kill(self, _number: int, _frame: FrameType | None) -> None:
        """Kill all workers. This damages no file: an unfinished file has a temporary name."""
        for worker in self._workers:
            worker.process.kill()


class _KilledError(Exception):
    """A worker has ended by itself."""


class _Worker:
    """A worker process and this end of its pipe."""

    def __init__(self) -> None:
        self.connection, other = SPAWN.Pipe()
        with other:
            self.process = SPAWN.Process(target=_run_tasks, args=(other, log_levels()))
            self.process.start()

    def begin(self, work: Callable[[Task], object], task: Task) -> None:
        """Give a task to this worker, which must be idle, or both might wait to send."""
        with _delayed_interrupt():
            try:
                self.connection.send((work, task))
            except OSError as error:
                raise _KilledError from error

    def result(self) -> Future[Logged[Any]]:
        """The result, or the error, of its task."""
        done: Future[Logged[Any]] = Future()
        try:
            result, error = self.connection.recv()
        except (EOFError, OSError) as ended:
            raise _KilledError from ended
        if error:
            done.set_exception(error)
        else:
            done.set_result(result)
        return done

    def stop(self) -> None:
        """Let it end after its task."""
        with suppress(OSError):
            self.connection.send(None)

    def join(self) -> None:
        """Wait until it has ended; drops the result of its task."""
        with suppress(OSError), self.connection:
            while os.read(self.connection.fileno(), 1 << 16):  # Ctrl-C may have left a part of a message
                pass
        self.process.join()


def _run_tasks(connection: Connection, levels: Mapping[str, int]) -> None:
    """The work of a worker: run tasks until the parent says that there are no more, or has gone.

    It ignores Ctrl-C, so that the parent can end it after a running task.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    collect_logs(levels)
    threading.Thread(target=_exit_with_parent, daemon=True).start()
    with suppress(EOFError, OSError):
        while call := _receive(connection):
            _send(connection, *_outcome(*call))


def _receive(connection: Connection) -> tuple[Callable[[Any], object], object] | None:
    """The next task, or None at the end. A task that this process cannot unpickle is an error of the task."""
    while True:
        message = connection.recv_bytes()
        try:
            return cast("tuple[Callable[[Any], object], object] | None", ForkingPickler.loads(message))
        except Exception as refusal:  # such as a function of a module that only the parent has
            _send(connection, None, _traced(refusal))


def _outcome(work: Callable[[Task], Result], task: Task) -> tuple[Logged[Result] | None, Exception | None]:
    try:
        return logged(work, task), None
    except Exception as error:  # the parent raises it
        return None, _traced(error)


def _send(connection: Connection, result: object, error: Exception | None) -> None:
    try:
        connection.send((result, error))
    except OSError:
        raise
    except Exception as refusal:  # it cannot be pickled, and nothing was sent
        connection.send((None, _traced(refusal)))


def _traced(error: Exception) -> Exception:
    """Add where it was raised, which an error does not take with it to another process."""
    error.add_note(f"In a worker process:\n{traceback.format_exc()}")
    return error


@contextmanager
def _delayed_interrupt() -> Iterator[None]:
    """Delay Ctrl-C to the end of the block; a worker that starts there never receives it, even before it ignores it."""
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


def _exit_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent:
        parent.join()
        os._exit(1)
