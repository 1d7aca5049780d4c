"""The poster's experiment at 48 pixels, on toys: see docs/miniature.md.

Run: make miniature, or
    python -m tests.miniature [--folder miniature_run]

A killed run resumes where it was.
"""

from __future__ import annotations

import argparse
import os
from functools import partial
from pathlib import Path

import torch

from tests.miniature.arms import ARMS, CONTROL
from tests.miniature.experiment import NOT_TRAINED, Experiment
from tests.miniature.scoring import Judges, comparison_lines, is_apart, lines, loses, split_lines
from tests.miniature.sheet import contact_sheet

SHEET = "pictures.jpg"
SCORES = ("cp_clip", "identity", "ti_clip", "recall", "swaps", "leaks", "duplicates")
RECOGNISED, LEAST_RECOGNISED = 0.8, 0.6
"""Fraction of class pictures whose class the detector must find, and after a longer pretraining."""

_print = partial(print, flush=True)  # pickled by workers, which cannot import functions of __main__


def main() -> None:
    """Run everything in order, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path("miniature_run"), help="everything is written there")
    parser.add_argument("--lengthened", action="store_true", help="pretraining was lengthened once; see the plan")
    given = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"  # of the processes that are started: a thread for each of two is fastest
    torch.set_num_threads(1)
    experiment = Experiment(folder=given.folder, report=_print)
    experiment.check_settings()
    experiment.run(["detector", "encoder", "things"])
    judges = experiment.judges()
    check_measure(experiment, judges)
    experiment.run(["weak_base", "full_base"])
    check_base(experiment, judges, LEAST_RECOGNISED if given.lengthened else RECOGNISED)
    experiment.run(experiment.arm_parts())
    print_table(experiment, judges)


def check_measure(experiment: Experiment, judges: Judges) -> None:
    """Stop unless the measure tells the things from strangers."""
    floor, ceiling = experiment.floor_and_ceiling(judges)
    for line in lines([floor, ceiling], SCORES):
        _print(line)
    if not is_apart(ceiling, floor):
        raise SystemExit("stopped: things and strangers are not clearly apart; see the plan's stop rules")


def check_base(experiment: Experiment, judges: Judges, least: float) -> None:
    """Stop unless the base models draw the class that a prompt names, in at least this fraction of pictures."""
    for captions in ("weak", "full"):
        found = experiment.recognised(experiment.base(captions), judges)
        share = sum(found.values()) / len(found)
        _print(f"base {captions}: " + ", ".join(f"{kind} {share:.2f}" for kind, share in found.items()))
        _print(f"base {captions}: {share:.3f} recognised; {least} expected")
        if share < least:
            raise SystemExit("stopped: the base model does not draw the classes; see the plan's stop rules")


def print_table(experiment: Experiment, judges: Judges) -> None:
    """Print every arm's scores, in all and by split, and the comparisons of the plan; write a sheet of pictures."""
    weak = {name: experiment.arm_scores("weak", name, judges) for name in (NOT_TRAINED, *ARMS)}
    full = {name: experiment.arm_scores("full", name, judges) for name in (NOT_TRAINED, *CONTROL)}
    every = [*weak.values(), *full.values()]
    for name in ("null", "strangers"):
        if not loses(weak[name], weak["cd + photos"]):
            _print(f"no claim: {name} does not lose, so that the measure is not sensitive to what the arms learn")
    folders = [experiment.folder / "pictures" / name for name in ("things", *(arm.name for arm in every))]
    contact_sheet(folders, sheet_compositions(experiment)).save(experiment.folder / SHEET)
    for line in (*lines(every, SCORES), "", *split_lines(every), "", *comparison_lines(weak, full)):
        _print(line)


def sheet_compositions(experiment: Experiment) -> list[str]:
    """The first composition of each number of things."""
    by_size = {len(names): "+".join(names) for names in reversed(experiment.sizes.compositions)}
    return [by_size[size] for size in sorted(by_size)]


if __name__ == "__main__":
    main()
