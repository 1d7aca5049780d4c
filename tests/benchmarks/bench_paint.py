"""Processor time of one painted background, from nothing to its files, beside an earlier commit.

Run: python -m tests.benchmarks.bench_paint [--rounds 3] [--against a142aea]

Both paint the same variant of every scene for scenes of 1024 pixels, with the build's own `paint`, in processes that
take turns. The earlier commit is checked out in a temporary folder. Counted is time in user and system mode.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import mean, median

ROOT = Path(__file__).parents[2]
AGAINST = "a142aea"
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
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--against", default=AGAINST, help="commit")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        earlier = Path(folder) / "earlier"
        git("worktree", "add", "--detach", str(earlier), given.against)
        try:
            rounds = [(seconds(earlier), seconds(ROOT)) for _ in range(given.rounds)]
        finally:
            git("worktree", "remove", "--force", str(earlier))
    print(f"{'core-milliseconds a background':32}{given.against:>10}{'now':>8}{'ratio':>8}  goal")
    for scene in rounds[0][0]:
        before, now = (min(each[side][scene] for each in rounds) for side in (0, 1))
        print(f"{scene:32}{1000 * before:10.0f}{1000 * now:8.0f}{before / now:8.2f}")
    means = [(mean(before.values()), mean(now.values())) for before, now in rounds]
    before, now = (1000 * median(each[side] for each in means) for side in (0, 1))
    ratio = median(before / now for before, now in means)
    print(f"{'mean of all scenes':32}{before:10.0f}{now:8.0f}{ratio:8.2f}  >= {GOAL}")


def seconds(code: Path) -> dict[str, float]:
    """Processor time of each scene, in a process that runs the code of a checkout."""
    with tempfile.TemporaryDirectory() as output:
        environment = {**os.environ, "PYTHONPATH": str(code)}
        command = [sys.executable, "-c", PAINT, output]
        done = subprocess.run(command, cwd=code, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def git(*arguments: str) -> None:
    """Run git in this repository."""
    command = ["git", "-C", str(ROOT), *arguments]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
