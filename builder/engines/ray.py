"""An engine that runs tasks on a Ray cluster: one worker per core, or per GPU if tasks run models, on every node."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from types import TracebackType
from typing import Any, Self, TypeVar

from builder.engines.base import EngineOptions
from builder.engines.ray_cluster import Hired, connect, disconnect, outcome
from builder.engines.ray_staff import ANSWER, PERIOD, Staff
from builder.engines.ray_worker import new_probe
from builder.engines.worker_logs import report
from mycanvas.errors import StoreError
from mycanvas.io.messages import counted

Task = TypeVar("Task")
Result = TypeVar("Result")

RETRIES = 3
"""How often a task is tried again whose worker or node died."""


class RayEngine:
    """Runs tasks on a cluster whose nodes may join and die; the workers live as long as the `with` block.

    Args:
        options: where it runs, and what for.
        answer: the seconds that a new worker has to answer before another node is tried.
    """

    def __init__(self, options: EngineOptions, answer: float = ANSWER) -> None:
        self._options, self._answer = options, answer
        self._ray: Any = None
        self._staff: Staff | None = None
        self._retries = 0
        self._calls: dict[Any, tuple[Hired, Any, int]] = {}  # of each call that runs: its task, and earlier failures
        self._probe = new_probe(options.folder)
        self._closing = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.close()

    def map(self, work: Callable[[Task], Result], tasks: Sequence[Task]) -> Iterator[Result]:
        """Yield results in the order in which they finish; a task whose worker or node dies is tried again.

        Raises:
            ConfigError, MissingExtra: as `connect`.
            StoreError: no node can work, or a task failed too often; finished tasks stay finished.
        """
        if not tasks:
            return
        staff = self._staff = self._staff or self._start()
        waiting, left = deque((task, 0) for task in tasks), len(tasks)
        try:
            while left:
                staff.hire(left)
                while waiting and staff.idle:
                    worker, (task, failures) = staff.idle.pop(), waiting.popleft()
                    self._calls[worker.actor.run.remote(work, task)] = worker, task, failures
                for call in self._finished(staff):
                    if call in staff.pending:
                        staff.admit(call)
                        continue
                    worker, task, failures = self._calls.pop(call)
                    if done := outcome(self._ray, call):
                        left -= 1
                        staff.idle.append(worker)
                        yield report(done)
                    else:
                        staff.dismiss(worker)
                        waiting.append((task, self._again(failures)))
        finally:
            while self._calls:  # after an error
                staff.dismiss(self._calls.popitem()[1][0])

    def report(self) -> str:
        """How many nodes and workers were used, and how many tasks were tried again; empty if there was no task."""
        if not self._staff or not self._staff.worked:
            return ""
        used, workers = set(self._staff.worked.values()), len(self._staff.worked)
        return f"{counted(len(used), 'node')} with {counted(workers, 'worker')}, {self._retries} tried again"

    def _start(self) -> Staff:
        """Write the probe and connect to the cluster; what follows the `with` block ends them, in reverse order."""
        self._closing.callback(self._remove_probe)
        self._probe.write()
        self._probe.remove_others()
        self._ray, is_owned, kind = connect(self._options)
        if is_owned:
            self._closing.callback(disconnect, self._ray, self._options)
        staff = Staff(self._ray, kind, self._probe, self._options.workers, answer=self._answer)
        self._closing.callback(self._dismiss, staff)
        return staff

    def _remove_probe(self) -> None:
        """Remove the probe if that is possible; another error that ended the build counts, and a probe does no harm."""
        with suppress(StoreError, OSError):
            self._probe.remove()

    def _dismiss(self, staff: Staff) -> None:
        if self._ray.is_initialized():
            staff.dismiss_all()

    def _finished(self, staff: Staff) -> Sequence[Any]:
        """The calls that have finished, after a wait for one of them."""
        calls = [*self._calls, *staff.pending]
        if not calls:
            time.sleep(PERIOD)
        return self._ray.wait(calls, timeout=PERIOD)[0] if calls else ()

    def _again(self, failures: int) -> int:
        """Count one failure more of a task."""
        if failures == RETRIES:
            raise StoreError(
                f"a task failed {failures + 1} times as its worker or node died, perhaps because memory ran out; "
                "run the same command again to resume"
            )
        self._retries += 1
        return failures + 1
