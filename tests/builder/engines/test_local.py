"""The engine of this machine: killed workers stop a build with one error, whenever they die."""

from __future__ import annotations

import multiprocessing
import os
import signal
from threading import Thread

import pytest

from builder.engines.local import WORKERS, LocalEngine
from mycanvas.errors import StoreError
from tests.builder.engines.tasks import die, double, lose_queue


def test_worker_that_dies_at_a_task_is_an_error_that_says_what_to_do() -> None:
    with LocalEngine(2) as engine, pytest.raises(StoreError, match=r"a worker process was killed, .* run the same"):
        list(engine.map(die, [0, 1]))


def test_worker_that_is_killed_between_tasks_is_the_same_error() -> None:
    with LocalEngine(2) as engine:
        assert sorted(engine.map(double, [1, 2])) == [2, 4]
        for worker in multiprocessing.active_children():
            worker.kill()

        for _ in range(2):  # at the second one, the pool has noticed it before
            with pytest.raises(StoreError, match="a worker process was killed"):
                list(engine.map(double, [3, 4]))


def test_worker_whose_queue_breaks_prints_no_traceback(capfd: pytest.CaptureFixture[str]) -> None:
    worker = WORKERS.Process(target=lose_queue)
    worker.start()
    worker.join()

    assert worker.exitcode == 1
    assert capfd.readouterr().err == ""


def test_engine_ends_where_workers_are_killed_as_it_ends() -> None:
    """One of the workers holds the lock of the queue, for which the others wait."""
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
