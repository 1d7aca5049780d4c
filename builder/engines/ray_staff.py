"""The workers of a build on a Ray cluster, whose nodes may join, die, be occupied by others, or not be able to work."""

from __future__ import annotations

import logging
import math
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from builder.engines.ray_cluster import Hired, Node, hire, nodes, refusal
from builder.engines.ray_worker import Probe, Worker
from mycanvas.errors import StoreError

log = logging.getLogger("mycanvas")

DEATHS = 3
"""How many workers may die on a node before it is refused."""
PERIOD = 2.0
"""Seconds between two looks for nodes that joined."""
WAIT = 10.0
"""Seconds without a worker after which a message says so."""
ANSWER = 30.0
"""Seconds that a new worker has to answer before another node is tried, as other programs may occupy its node."""
_DOUBLED = 4
"""How often ANSWER is doubled at most, each time that a node's worker did not answer: it may only start slowly."""


class Staff:
    """The workers, each hired on a node with a place, and admitted when its node can work.

    idle: workers to give tasks to. pending: hired workers by the call of `Worker.refusal` that they have not answered.
    worked: the id of the node of each worker that was ever admitted.

    Args:
        ray: Ray's module, connected to a cluster.
        kind: what a worker occupies.
        probe: which each worker must see.
        most: the number of workers that there may be at a time; None: as many as there are places.
        answer: as `ANSWER`.
        clock: seconds that only grow.
    """

    def __init__(
        self,
        ray: Any,
        kind: str,
        probe: Probe,
        most: int | None = None,
        *,
        answer: float = ANSWER,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ray, self._kind, self._probe, self._most, self._answer = ray, kind, probe, most, answer
        self.idle: list[Hired] = []
        self.pending: dict[Any, Hired] = {}
        self.worked: dict[Any, str] = {}
        self._members: list[Hired] = []
        self._refused: dict[str, str] = {}
        self._deaths, self._late = Counter[str](), Counter[str]()
        self._clock, self._next_look, self._deadline = clock, -math.inf, clock() + WAIT

    def hire(self, tasks: int) -> None:
        """Start workers where there is a place for them and a task, now and then.

        Args:
            tasks: the number of tasks that are not done.

        Raises:
            StoreError: no node can work.
        """
        now = self._clock()
        if now < self._next_look:
            return
        self._next_look = now + PERIOD
        found = [node for node in nodes(self._ray, self._kind) if node.id not in self._refused]
        if self._refused and not found:
            raise StoreError("\n".join(["no node of the Ray cluster can work:", *self._refused.values()]))
        self._give_up_late(found, now)
        missing = min(tasks, self._most or tasks) - len(self._members)
        for node in self._free(found)[: max(0, missing)]:
            worker = hire(self._ray, self._kind, Worker, node, now)
            self._members.append(worker)
            self.pending[worker.actor.refusal.remote(self._probe)] = worker
        if self.pending:
            self._probe.keep()
        if len(self._members) > len(self.pending):
            self._deadline = now + WAIT
        elif now > self._deadline:
            self._deadline = math.inf
            log.warning("waiting for a free %s in the Ray cluster; if it can grow, --workers N makes it", self._kind)

    def admit(self, call: Any) -> None:
        """Let a worker work if its node can; refuse the node if it cannot, or if workers keep dying on it.

        Args:
            call: one of `pending` that has ended.
        """
        worker = self.pending.pop(call)
        node, reason = worker.node, refusal(self._ray, call)
        if reason == "":
            self.idle.append(worker)
            self.worked[worker.actor] = node.id
            del self._late[node.id]
            return
        self.dismiss(worker)
        if reason is None:
            self._deaths[node.id] += 1
            reason = "its workers die" if self._deaths[node.id] > DEATHS else None
        if reason and node.id not in self._refused:
            self._refused[node.id] = f"{node.name} is not used: {reason}"
            log.warning("node %s", self._refused[node.id])

    def dismiss(self, worker: Hired) -> None:
        """End a worker that is neither idle nor pending."""
        self._members.remove(worker)
        self._ray.kill(worker.actor)

    def dismiss_all(self) -> None:
        """End all workers."""
        self.idle.clear()
        self.pending.clear()
        while self._members:
            self.dismiss(self._members[-1])

    def _free(self, found: Sequence[Node]) -> list[Node]:
        """A node for each place without a worker of ours; first those whose workers answered, and that have fewest."""
        staff = Counter(worker.node.id for worker in self._members)
        free = ((self._late[node.id], place, node) for node in found for place in range(staff[node.id], node.places))
        return [node for _, _, node in sorted(free)]

    def _give_up_late(self, found: Sequence[Node], now: float) -> None:
        """End workers that have not answered in time, as far as there are places on other nodes."""
        free, late = self._free(found), set[str]()
        for call, worker in [*self.pending.items()]:
            name = worker.node.id
            other = next((node for node in free if node.id != name), None)
            if other and now - worker.since > self._answer * 2 ** min(self._late[name], _DOUBLED):
                free.remove(other)
                late.add(name)
                del self.pending[call]
                self.dismiss(worker)
        self._late.update(late)
