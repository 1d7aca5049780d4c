"""Measure the present code beside an earlier commit: the same program runs in each, in processes that take turns."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import mean, median
from typing import Any

ROOT = Path(__file__).parents[2]
AGAINST = "a142aea"

Seconds = dict[str, float]
"""Processor time of each item that a program measures, by its name."""


def arguments(description: str, rounds: int = 3) -> argparse.ArgumentParser:
    """The command line that these benchmarks share: --rounds and --against."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=rounds)
    parser.add_argument("--against", default=AGAINST, help="commit")
    return parser


def take_turns(program: str, against: str, rounds: int, *inputs: str) -> list[tuple[Any, Any]]:
    """Run a program with the code of an earlier commit and with the present code, once each in every round.

    Args:
        program: Python code that prints JSON. Its arguments are an empty folder and the inputs.
        against: the earlier commit.
        rounds: number of pairs.
        inputs: further arguments of the program.

    Returns:
        The two values of each round, the earlier commit's first.
    """
    with checkout(against) as earlier:
        return [(run(earlier, program, *inputs), run(ROOT, program, *inputs)) for _ in range(rounds)]


@contextmanager
def checkout(commit: str) -> Iterator[Path]:
    """An earlier commit in a temporary folder."""
    with tempfile.TemporaryDirectory() as folder:
        earlier = Path(folder) / "earlier"
        _git("worktree", "add", "--detach", str(earlier), commit)
        try:
            yield earlier
        finally:
            _git("worktree", "remove", "--force", str(earlier))


def run(code: Path, program: str, *inputs: str) -> Any:
    """The JSON that a program prints in a process of its own, with the code of a checkout."""
    with tempfile.TemporaryDirectory() as output:
        environment = {**os.environ, "PYTHONPATH": str(code)}
        command = [sys.executable, "-c", program, output, *inputs]
        done = subprocess.run(command, cwd=code, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout)


def print_items(rounds: list[tuple[Seconds, Seconds]]) -> None:
    """A line for each item: the milliseconds of both, the least of all rounds, and their ratio."""
    for name in rounds[0][0]:
        before, now = (min(each[side][name] for each in rounds) for side in (0, 1))
        print(f"{name:32}{1000 * before:10.0f}{1000 * now:8.0f}{before / now:8.2f}")


def print_mean(name: str, rounds: list[tuple[Seconds, Seconds]], goal: str) -> None:
    """A line for the mean of all items: the milliseconds of both and their ratio, medians of the rounds."""
    means = [(mean(before.values()), mean(now.values())) for before, now in rounds]
    before, now = (1000 * median(each[side] for each in means) for side in (0, 1))
    ratio = median(before / now for before, now in means)
    print(f"{name:32}{before:10.0f}{now:8.0f}{ratio:8.2f}  {goal}")


def _git(*words: str) -> None:
    command = ["git", "-C", str(ROOT), *words]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
