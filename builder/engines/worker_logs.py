"""Carry the log messages of worker processes to the main process, which alone knows how and whether to report them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from logging.handlers import QueueHandler
from typing import Generic, TypeVar

Task = TypeVar("Task")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Logged(Generic[Result]):
    """The result of a task, and the messages that it logged."""

    result: Result
    records: tuple[logging.LogRecord, ...]


class _Collector(QueueHandler):
    """Keeps the messages of this process, in a form that can be pickled, until they are taken."""

    def __init__(self) -> None:
        super().__init__(None)  # type: ignore[arg-type]  # `enqueue` uses no queue
        self._records: list[logging.LogRecord] = []

    def enqueue(self, record: logging.LogRecord) -> None:
        self._records.append(record)

    def take(self) -> tuple[logging.LogRecord, ...]:
        taken, self._records = tuple(self._records), []
        return taken


_collector = _Collector()


def log_levels() -> Mapping[str, int]:
    """The levels of the root logger and of this program's, for `collect_logs`."""
    return {name: logging.getLogger(name).level for name in ("", "mycanvas")}


def collect_logs(levels: Mapping[str, int]) -> None:
    """Keep what this worker logs; levels: of the main process."""
    logging.getLogger().handlers = [_collector]
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


def logged(work: Callable[[Task], Result], task: Task) -> Logged[Result]:
    """Run a task in a worker; return what it logged with its result."""
    return Logged(work(task), _collector.take())


def report(done: Logged[Result]) -> Result:
    """Log in this process what a task logged in its worker; return the task's result."""
    for record in done.records:
        logging.getLogger(record.name).handle(record)
    return done.result
