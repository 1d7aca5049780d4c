"""The engine of this machine: killed workers stop a build with one error, whenever they die."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from multiprocessing.connection import Connection
from threading import Thread

import pytest

from builder.engines.local import SPAWN, LocalEngine
from mycanvas.errors import StoreError
from tests.builder.engines.tasks import (
    KilledAtOnce,
    KilledEarlier,
    Unpicklable,
    die,
    double,
    fill,
    fill_with_ones,
    make_unpicklable,
    warn_and_fail,
)

KILLED = r"a worker process was killed, .* run the same"


def test_worker_that_dies_at_a_task_is_an_error_that_says_what_to_do() -> None:
    with LocalEngine(2) as engine, pytest.raises(StoreError, match=KILLED):
        list(engine.map(die, [0, 1]))


def test_worker_that_is_killed_between_tasks_is_the_same_error_and_the_next_tasks_have_new_workers() -> None:
    with LocalEngine(2) as engine:
        assert sorted(engine.map(double, [1, 2])) == [2, 4]
        for worker in multiprocessing.active_children():
            worker.kill()
            worker.join()

        with pytest.raises(StoreError, match=KILLED):
            list(engine.map(double, [3, 4]))

        assert sorted(engine.map(double, [3, 4])) == [6, 8]
    assert multiprocessing.active_children() == []


def test_worker_that_is_killed_in_the_middle_of_its_result_is_the_same_error() -> None:
    with LocalEngine(2) as engine:
        results = engine.map(fill, [10_000_000] * 2)
        next(results)
        time.sleep(0.5)  # until the other one waits for this process to read the rest of its result
        for worker in multiprocessing.active_children():
            worker.kill()

        with pytest.raises(StoreError, match=KILLED):
            list(results)


def test_workers_never_receive_ctrl_c_even_as_they_start() -> None:
    """In a new process: the first worker starts the resource tracker of Python, which unblocks signals."""
    program = (
        "from builder.engines.local import LocalEngine\n"
        "from tests.builder.engines.tasks import blocks_ctrl_c\n"
        "with LocalEngine(2) as engine:\n"
        "    print(*engine.map(blocks_ctrl_c, [0, 1]))\n"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout == "True True\n"


def test_ctrl_c_in_the_middle_of_a_result_ends_the_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(self: Connection) -> None:
        os.read(self.fileno(), 1000)
        raise KeyboardInterrupt

    monkeypatch.setattr(Connection, "recv", interrupted)

    with LocalEngine(2) as engine, pytest.raises(KeyboardInterrupt):
        list(engine.map(fill_with_ones, [10_000_000] * 2))

    assert multiprocessing.active_children() == []


@pytest.mark.parametrize("kind", [KilledEarlier, KilledAtOnce])
def test_worker_that_is_killed_while_workers_start_is_the_same_error(
    kind: type[SPAWN.Process], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SPAWN, "Process", kind)

    with LocalEngine(2) as engine, pytest.raises(StoreError, match=KILLED):
        list(engine.map(double, range(8)))


def test_engine_ends_where_workers_are_killed_as_it_ends() -> None:
    with LocalEngine(4) as engine:
        assert sorted(engine.map(double, range(8))) == [2 * number for number in range(8)]
        workers = multiprocessing.active_children()
        for worker in workers:
            os.kill(worker.pid or 0, signal.SIGSTOP)
        ending = Thread(target=engine.__exit__, args=(None, None, None), daemon=True)
        ending.start()
        ending.join(0.5)
        for worker in workers[1:]:
            worker.kill()
        os.kill(workers[0].pid or 0, signal.SIGCONT)
        ending.join(60)
        has_ended = not ending.is_alive()
        workers[0].kill()

    assert has_ended


def test_error_of_a_task_is_raised_here_with_the_place_in_the_worker_and_running_tasks_finish() -> None:
    with LocalEngine(2) as engine, pytest.raises(StoreError) as caught:
        list(engine.map(warn_and_fail, ["disk full"] * 8))

    assert str(caught.value) == "disk full"
    assert "in warn_and_fail" in "".join(caught.value.__notes__)
    assert multiprocessing.active_children() == []


def test_result_that_cannot_be_sent_is_an_error() -> None:
    with LocalEngine(2) as engine, pytest.raises(TypeError, match="pickle"):
        list(engine.map(make_unpicklable, [0, 1]))


@pytest.mark.parametrize("error", [LookupError("no such function"), OSError("no such library"), EOFError("cut off")])
def test_task_that_cannot_be_unpickled_is_an_error_and_its_worker_goes_on(error: Exception) -> None:
    task = Unpicklable(3)
    task.error = error
    with LocalEngine(2) as engine:
        list(engine.map(double, [1, 2]))
        workers = {worker.pid for worker in multiprocessing.active_children()}

        with pytest.raises(type(error), match=str(error)):
            list(engine.map(double, [task]))

        assert sorted(engine.map(double, [1, 2])) == [2, 4]
        assert {worker.pid for worker in multiprocessing.active_children()} == workers
