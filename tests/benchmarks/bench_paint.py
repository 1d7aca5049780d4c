"""Processor time of one painted background, from nothing to its files, beside an earlier commit.

Run: python -m tests.benchmarks.bench_paint [--rounds 3] [--against a142aea]

Both paint the same variant of every scene for scenes of 1024 pixels, with the build's own `paint`, in processes that
take turns. The earlier commit is checked out in a temporary folder. Counted is time in user and system mode.
"""

from __future__ import annotations

from tests.benchmarks.earlier import arguments, print_items, print_mean, take_turns

GOAL = 4
WARM_UP = "desert"

PAINT = f"""
import json, sys, time
from pathlib import Path
try:
    from builder.pipeline.prepare import PaintTask, paint
    from builder.stages.backgrounds.procedural import SCENES
except ImportError:
    from builder.prepare import PaintTask, paint
    from builder.backgrounds.procedural import SCENES
from builder.records import BackgroundRef

def spent(scene, variant):
    start = time.process_time()
    paint(PaintTask(folder=Path(sys.argv[1]), background=BackgroundRef(scene=scene, phrase="", variant=variant)))
    return time.process_time() - start

spent("{WARM_UP}", 0)
print(json.dumps({{scene: spent(scene, 1) for scene in SCENES}}))
"""
"""A program that prints the seconds of each scene; its argument is an empty folder."""


def main() -> None:
    """Measures both and prints a line for each scene and one for all."""
    given = arguments(__doc__).parse_args()
    rounds = take_turns(PAINT, given.against, given.rounds)
    print(f"{'core-milliseconds a background':32}{given.against:>10}{'now':>8}{'ratio':>8}  goal")
    print_items(rounds)
    print_mean("mean of all scenes", rounds, f">= {GOAL}")


if __name__ == "__main__":
    main()
