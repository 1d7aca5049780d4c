"""Ctrl-C while a library does not return: an answer at once, and an end at the second."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

PROGRAM = """
import sys, time
import click
from builder.cli import main
from builder.cli.entry_point import run
from mycanvas.io.progress import Progress

@click.command()
@click.option("--label")
@click.option("--deaf", is_flag=True)
def block(label, deaf):
    def sleep():
        while True:
            try:
                print("ready", flush=True)
                time.sleep(600)
            except KeyboardInterrupt:
                if not deaf:
                    sys.stdin.readline()
                    raise
    if label:
        with Progress(label, 3, "scene"):
            sleep()
    sleep()

main.cli.add_command(block)
sys.argv = ["mycanvas", "block", *sys.argv[1:]]
run()
"""
"""A command that, like a library, goes on after Ctrl-C: until it gets a line, or for ever."""


@pytest.fixture(autouse=True)
def interruptible() -> Iterator[None]:
    """Programs that a test starts receive Ctrl-C, also where the tests run in the background of a shell."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def start(*arguments: str) -> subprocess.Popen[str]:
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    process = subprocess.Popen([sys.executable, "-c", PROGRAM, *arguments], text=True, **pipes)
    assert process.stdout
    assert process.stdout.readline() == "ready\n"
    return process


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(
    ("arguments", "step"),
    [(["--label", "composing"], "the step of 'composing' that has begun"), ([], "the step that has begun")],
)
def test_stop_signal_is_answered_with_what_is_waited_for(
    number: signal.Signals, arguments: list[str], step: str
) -> None:
    with start(*arguments) as process:
        assert process.stdin
        assert process.stderr
        process.send_signal(number)

        answer = process.stderr.readline()
        process.stdin.write("go on\n")
        process.stdin.flush()
        rest = process.stderr.read().lstrip()  # click ends the line of the bar

    assert answer == f"stopping: waiting for {step}; press Ctrl-C again to stop at once\n"
    assert rest == "error: stopped; run the same command again to resume\n"
    assert process.returncode == 1


def test_second_signal_ends_a_program_that_does_not_stop() -> None:
    with start("--deaf", "--label", "sending") as process:
        assert process.stdout
        assert process.stderr
        process.send_signal(signal.SIGINT)
        answer = process.stderr.readline()
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        rest = process.stderr.read().lstrip()  # click ends the line of the bar

    assert "the step of 'sending'" in answer
    assert rest == "error: stopped; run the same command again to resume\n"
    assert process.returncode == 1


def test_program_that_stops_by_itself_says_one_line() -> None:
    with start("--label", "composing") as process:
        assert process.stdin
        assert process.stderr
        process.stdin.write("go on\n")  # read right after the signal
        process.stdin.flush()
        process.send_signal(signal.SIGINT)
        said = process.stderr.read().lstrip()

    assert said == "error: stopped; run the same command again to resume\n"
