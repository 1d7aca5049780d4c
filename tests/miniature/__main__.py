"""The poster's experiment at 48 pixels, on toys: see docs/miniature.md.

Run: make miniature, or
    python -m tests.miniature [--folder miniature_run] [STEP …]

Without steps all are run in order. A killed run resumes where it was.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path

import torch

from tests.miniature.experiment import LEAST_RECOGNISED, RECOGNISED, Experiment, mean
from tests.miniature.scoring import is_apart, lines

SCORES = ("cp_clip", "identity", "ti_clip", "recall", "leaks", "duplicates")


def main() -> None:
    """Run the steps that are named, or all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path("miniature_run"), help="everything is written there")
    parser.add_argument("steps", nargs="*", metavar="STEP", help=", ".join(STEPS))
    given = parser.parse_args()
    torch.set_num_threads(1)
    experiment = Experiment(folder=given.folder, report=_print)
    for name in given.steps or STEPS:
        STEPS[name](experiment)


def check_base(experiment: Experiment) -> None:
    """Stop unless the base model draws the class that a prompt names."""
    judges = experiment.judges()
    for captions in ("weak", "full"):
        found = experiment.recognised(experiment.base(captions), judges)
        _print(f"base {captions}: " + ", ".join(f"{kind} {share:.2f}" for kind, share in found.items()))
        share = mean(list(found.values()))
        _print(f"base {captions}: {share:.3f} recognised; {RECOGNISED} expected")
        if share < LEAST_RECOGNISED:
            raise SystemExit("stopped: the base model does not draw the classes; see the plan's stop rules")


def check_measure(experiment: Experiment) -> None:
    """Stop unless the measure tells the things from strangers."""
    floor, ceiling = experiment.floor_and_ceiling(experiment.judges())
    for line in lines([floor, ceiling], SCORES):
        _print(line)
    if not is_apart(ceiling, floor):
        raise SystemExit("stopped: things and strangers are not clearly apart; see the plan's stop rules")


STEPS: Mapping[str, Callable[[Experiment], object]] = {
    "things": Experiment.things,
    "scenes": Experiment.scenes,
    "judges": Experiment.judges,
    "measure": check_measure,
    "base": lambda experiment: [experiment.base(captions) for captions in ("none", "weak", "full")],
    "recognise": check_base,
}


def _print(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    main()
