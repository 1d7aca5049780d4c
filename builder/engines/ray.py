"""An engine that runs tasks on a Ray cluster: one worker per core, or per GPU if tasks run models, on every node."""

from __future__ import annotations

import logging
import math
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar

from builder.engines.base import EngineOptions
from builder.engines.ray_cluster import Hired, connect, disconnect, hire, nodes, outcome, refusal
from builder.engines.ray_worker import Worker, new_probe
from builder.engines.worker_logs import report
from mycanvas.errors import StoreError
from mycanvas.io.messages import counted

log = logging.getLogger("mycanvas")
Task = TypeVar("Task")
Result = TypeVar("Result")

RETRIES = 3
"""How often a task is tried again whose worker or node died; how many workers may die before their node is refused."""
PERIOD = 2.0
"""Seconds between two looks for nodes that joined."""
WAIT = 10.0
"""Seconds without a worker after which a message says so."""


class RayEngine:
    """Runs tasks on a cluster whose nodes may join and die; the workers live as long as the `with` block."""

    def __init__(self, options: EngineOptions) -> None:
        self._options, self._kind = options, "CPU"
        self._ray: Any = None
        self._owned, self._retries, self._next_look, self._deadline = False, 0, 0.0, 0.0
        self._idle: list[Hired] = []
        # The task of each call that runs, and its earlier failures; None: the call of `Worker.refusal`.
        self._calls: dict[Any, tuple[Hired, tuple[Any, int] | None]] = {}
        self._worked: dict[Any, str] = {}
        self._refused: dict[str, str] = {}
        self._deaths: Counter[str] = Counter()
        self._probe = new_probe(options.folder)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._probe.remove()
        if self._ray and self._ray.is_initialized():
            for worker in self._staff():
                self._ray.kill(worker.actor)
            if self._owned:
                disconnect(self._ray, self._options)

    def map(self, work: Callable[[Task], Result], tasks: Sequence[Task]) -> Iterator[Result]:
        """Yield results in the order in which they finish; a task whose worker or node dies is tried again.

        Raises:
            ConfigError, MissingExtra: as `connect`.
            StoreError: no node can work, or a task failed too often; finished tasks stay finished.
        """
        waiting, left = deque((task, 0) for task in tasks), len(tasks)
        if tasks and not self._ray:
            self._probe.write()
            self._ray, self._owned, self._kind = connect(self._options)
            self._deadline = time.monotonic() + WAIT
        try:
            while left:
                self._hire(left)
                while waiting and self._idle:
                    worker, attempt = self._idle.pop(), waiting.popleft()
                    self._calls[worker.actor.run.remote(work, attempt[0])] = worker, attempt
                for call in self._finished():
                    worker, tried = self._calls.pop(call)
                    if tried is None:
                        self._admit(worker, call)
                    elif done := outcome(self._ray, call):
                        left -= 1
                        self._idle.append(worker)
                        yield report(done)
                    else:
                        waiting.append(self._again(worker, *tried))
        finally:
            for call in [call for call, (_, tried) in self._calls.items() if tried]:  # after an error
                self._ray.kill(self._calls.pop(call)[0].actor)

    def report(self) -> str:
        """How many nodes and workers were used, and how many tasks were tried again; empty if there was no task."""
        nodes, again = len(set(self._worked.values())), f"{self._retries} tried again"
        return f"{counted(nodes, 'node')} with {counted(len(self._worked), 'worker')}, {again}" if nodes else ""

    def _staff(self) -> list[Hired]:
        return [*self._idle, *(worker for worker, _ in self._calls.values())]

    def _hire(self, left: int) -> None:
        """Start workers where there is a place for them and a task, now and then."""
        now = time.monotonic()
        if now < self._next_look:
            return
        self._next_look = now + PERIOD
        found = [node for node in nodes(self._ray, self._kind) if node.id not in self._refused]
        if self._refused and not found:
            raise StoreError("\n".join(["no node of the Ray cluster can work:", *self._refused.values()]))
        staff = Counter(worker.node.id for worker in self._staff())
        free = ((place, node) for node in found for place in range(staff[node.id], node.places))
        for _, node in sorted(free)[: max(0, min(left, self._options.workers or left) - staff.total())]:
            worker = hire(self._ray, self._kind, Worker, node)
            self._calls[worker.actor.refusal.remote(self._probe)] = worker, None
        if not self._worked and now > self._deadline:
            self._deadline = math.inf
            log.warning("waiting for a free %s in the Ray cluster; if it can grow, --workers N makes it", self._kind)

    def _finished(self) -> Sequence[Any]:
        """The calls that have finished, after a wait for one of them."""
        if not self._calls:
            time.sleep(PERIOD)
        return self._ray.wait([*self._calls], timeout=PERIOD)[0] if self._calls else ()

    def _again(self, worker: Hired, task: Any, failures: int) -> tuple[Any, int]:
        """A task whose worker died or cannot be reached, to try again, with one failure more."""
        self._ray.kill(worker.actor)
        if failures == RETRIES:
            raise StoreError(
                f"a task failed {failures + 1} times as its worker or node died, perhaps because memory ran out; "
                "run the same command again to resume"
            )
        self._retries += 1
        return task, failures + 1

    def _admit(self, worker: Hired, call: Any) -> None:
        """Let a worker work if its node can; refuse the node if it cannot, or if workers keep dying on it."""
        reason = refusal(self._ray, call)
        if reason != "":
            self._ray.kill(worker.actor)
        if reason is None:
            self._deaths[worker.node.id] += 1
            reason = "its workers die" if self._deaths[worker.node.id] > RETRIES else None
        elif not reason:
            self._idle.append(worker)
            self._worked[worker.actor] = worker.node.id
            return
        if reason and worker.node.id not in self._refused:
            self._refused[worker.node.id] = f"{worker.node.name} is not used: {reason}"
            log.warning("node %s", self._refused[worker.node.id])
