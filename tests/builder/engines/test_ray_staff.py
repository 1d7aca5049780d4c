"""Workers are hired on nodes that have places, and a node that does not answer does not keep a build waiting."""

from __future__ import annotations

import logging
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from builder.engines.ray_staff import ANSWER, WAIT, Staff
from builder.engines.ray_worker import new_probe
from mycanvas.errors import StoreError


class FakeRay:
    """A cluster without processes. cpus: by the name of the node. killed: the actors that were killed."""

    class exceptions:  # noqa: N801
        class RayError(Exception):
            pass

        class RayTaskError(RayError):
            pass

    def __init__(self, **cpus: int) -> None:
        self.cpus, self.killed = cpus, list[Any]()
        affinity = SimpleNamespace(NodeAffinitySchedulingStrategy=lambda node, **_: node)
        self.util = SimpleNamespace(scheduling_strategies=affinity)

    def nodes(self) -> list[dict[str, Any]]:
        return [
            {"NodeID": name, "NodeManagerHostname": name, "NodeManagerAddress": "ip", "Alive": True, "Resources": made}
            for name, number in self.cpus.items()
            for made in [{"CPU": number} if number else {}]
        ]

    def remote(self, _worker: type) -> Any:
        return self

    def options(self, *, scheduling_strategy: str, **_options: object) -> Any:
        return SimpleNamespace(remote=lambda: _Actor(scheduling_strategy))

    def get(self, call: _Call) -> str:
        if call.answer is None:
            raise self.exceptions.RayError
        return call.answer

    def kill(self, actor: object) -> None:
        self.killed.append(actor)


class _Call:
    answer: str | None = ""


class _Actor:
    def __init__(self, node: str) -> None:
        self.node, self.refusal = node, SimpleNamespace(remote=lambda _probe: _Call())


class Now:
    """A clock that the test sets."""

    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def staff_of(ray: FakeRay, now: Now, folder: Path, most: int | None = None) -> Staff:
    return Staff(ray, "CPU", new_probe(folder), most, clock=now)


def look(staff: Staff, now: Now, later: float = 0.0, tasks: int = 9) -> list[str]:
    """The nodes of the workers that have not answered after another look for nodes."""
    now.seconds += max(later, 2.0)
    staff.hire(tasks)
    return [worker.node.id for worker in staff.pending.values()]


def answer(staff: Staff, text: str | None) -> None:
    """All workers answer."""
    for call in [*staff.pending]:
        call.answer = text
        staff.admit(call)


@pytest.fixture
def now() -> Now:
    return Now()


def test_nodes_without_places_do_not_hide_that_none_can_work(now: Now, tmp_path: Path) -> None:
    staff = staff_of(FakeRay(head=0, other=2), now, tmp_path)

    assert look(staff, now) == ["other", "other"]
    answer(staff, "it has Python 2")

    with pytest.raises(StoreError, match=r"(?s)no node of the Ray cluster can work:\nother \(ip\) .*has Python 2$"):
        look(staff, now)


def test_waiting_is_reported_again_when_all_nodes_have_died(
    now: Now, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ray = FakeRay(one=1)
    staff = staff_of(ray, now, tmp_path)
    look(staff, now)
    answer(staff, "")
    look(staff, now, 10 * WAIT)
    assert caplog.messages == []

    ray.cpus.clear()
    staff.dismiss(staff.idle.pop())
    look(staff, now)
    assert caplog.messages == []
    for _ in range(3):
        look(staff, now, WAIT)
    assert [message.partition(" in")[0] for message in caplog.messages] == ["waiting for a free CPU"]
    ray.cpus["two"] = 1
    assert look(staff, now) == ["two"]


def test_worker_that_does_not_answer_is_replaced_by_one_on_another_node(now: Now, tmp_path: Path) -> None:
    ray = FakeRay(busy=2, free=1)
    staff = staff_of(ray, now, tmp_path, most=1)

    assert look(staff, now) == ["busy"]
    assert look(staff, now, ANSWER - 1) == ["busy"]
    assert look(staff, now) == ["free"]
    assert [actor.node for actor in ray.killed] == ["busy"]
    answer(staff, "")
    assert [worker.node.id for worker in staff.idle] == ["free"]
    assert look(staff, now, ANSWER) == []


def test_nodes_that_only_start_slowly_get_more_time(now: Now, tmp_path: Path) -> None:
    staff = staff_of(FakeRay(one=1, two=1), now, tmp_path, most=1)

    tried = [look(staff, now, seconds)[0] for seconds in (2, ANSWER + 1, ANSWER + 1, ANSWER + 1, ANSWER)]

    assert tried == ["one", "two", "one", "one", "two"]


def test_only_node_is_waited_for(now: Now, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    ray = FakeRay(busy=1)
    staff = staff_of(ray, now, tmp_path)

    assert look(staff, now) == look(staff, now, 100 * ANSWER) == ["busy"]
    assert ray.killed == []
    assert len(caplog.messages) == 1


def test_probe_at_a_url_is_there_as_long_as_workers_may_look_for_it(now: Now, tmp_path: Path) -> None:
    probe = new_probe(f"file://{tmp_path}/store")
    staff, file = Staff(FakeRay(one=1), "CPU", probe, clock=now), tmp_path / "store" / probe.file
    look(staff, now)
    assert probe.is_seen()

    file.unlink()  # by another command, which cannot know whether it was left
    look(staff, now)
    assert probe.is_seen()
    answer(staff, "")
    file.unlink()
    look(staff, now, tasks=1)
    assert not probe.is_seen()
