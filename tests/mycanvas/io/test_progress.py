from __future__ import annotations

import io
import logging
import sys

import pytest

from mycanvas.errors import InputError
from mycanvas.io.progress import BYTES, Progress, running_work, tracked


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(autouse=True)
def shown(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "mycanvas")


def work(clock: Clock, seconds: float, steps: int, unit: str = "scene", size: int = 1) -> None:
    with Progress("composing", steps * size, unit, terminal=False, clock=clock) as progress:
        for _ in range(steps):
            clock.now += seconds
            progress.update(size)


def test_log_gets_a_line_every_few_seconds(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    work(Clock(), 0.5, 40)

    assert caplog.messages == [
        "composing: 10 of 40 scenes",
        "composing: 20 of 40 scenes",
        "composing: 30 of 40 scenes",
        "composing: 40 of 40 scenes",
        "composing: 40 of 40 scenes in 20 s",
    ]
    assert capsys.readouterr().err == ""


def test_slow_steps_are_reported_one_by_one(caplog: pytest.LogCaptureFixture) -> None:
    work(Clock(), 60, 2, BYTES, 1_500_000)

    assert caplog.messages == [
        "composing: 1.50 MB of 3.00 MB",
        "composing: 3.00 MB of 3.00 MB",
        "composing: 3.00 MB of 3.00 MB in 120 s",
    ]


def test_quick_work_says_nothing_in_a_log(caplog: pytest.LogCaptureFixture) -> None:
    work(Clock(), 0.1, 10)

    assert caplog.messages == []


def test_amount_of_an_earlier_run_counts(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    with Progress("composing", 10, "scene", done=8, terminal=False, clock=clock) as progress:
        clock.now = 9
        progress.update()

    assert caplog.messages[0] == "composing: 9 of 10 scenes"


@pytest.mark.parametrize(("level", "drawn"), [(logging.INFO, True), (logging.WARNING, False)])
def test_terminal_gets_a_bar_unless_information_is_off(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, level: int, drawn: bool
) -> None:
    caplog.set_level(level, "mycanvas")
    terminal = io.StringIO()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setattr("mycanvas.io.progress.DELAY", 0)

    with Progress("composing", 2, "scene", terminal=True) as progress:
        progress.update(2)

    assert ("composing: 100%" in terminal.getvalue()) == drawn
    assert caplog.messages == []


def test_nothing_is_reported_where_information_is_off(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "mycanvas")

    work(Clock(), 60, 3)

    assert caplog.messages == []


def test_running_work_is_the_innermost_and_that_of_an_interruption(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mycanvas.io.progress._running", [])  # other tests of this process have interrupted work
    with Progress("outer", 1, "scene"):
        assert [running_work() for _ in tracked([1], "inner", 1, "scene")] == ["inner"]
        assert running_work() == "outer"
    assert running_work() is None

    with pytest.raises(InputError), Progress("decoding", 1, "photo"):
        raise InputError("damaged")
    assert running_work() is None

    with pytest.raises(KeyboardInterrupt), Progress("composing", 1, "scene"):
        raise KeyboardInterrupt
    assert running_work() == "composing"
