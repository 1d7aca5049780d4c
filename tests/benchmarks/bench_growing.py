"""Processor time of growing a build, beside that of the new scenes alone.

Run: python -m tests.benchmarks.bench_growing [--rounds 1] [--samples 300] [--resolution 512]

A build of so many samples is grown to twice as many, and the same photos are built with another output; both find the
cut-outs in the cache, and are measured from start to end.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

import numpy as np
from PIL import Image

from tests.benchmarks.bench_memory import SHAPES
from tests.conftest import draw_shape

GOAL = 1.1


def main() -> None:
    """Measure both and print a line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--samples", type=int, default=300)
    parser.add_argument("--resolution", type=int, default=512, help="pixels of a side")
    given = parser.parse_args()
    grown, alone = [], []
    for _ in range(given.rounds):
        with tempfile.TemporaryDirectory() as home:
            folder = Path(home)
            for kind, name in enumerate(SHAPES):
                (folder / "concepts" / name).mkdir(parents=True)
                for view in range(2):
                    draw_shape(folder / "concepts" / name / f"{view}.png", kind, view)
            (folder / "places" / "yard").mkdir(parents=True)
            for number in range(2):  # painted backgrounds would be made when a scene has them for the first time
                noise = np.random.default_rng(number).integers(90, 160, (640, 800, 3), np.uint8)
                Image.fromarray(noise).save(folder / "places" / "yard" / f"{number}.png")
            spent(folder, "out", given.samples, given.resolution)
            grown.append(spent(folder, "out", 2 * given.samples, given.resolution))
            alone.append(spent(folder, "alone", given.samples, given.resolution))
    print(f"{'core-seconds':28}{'grown':>10}{'alone':>10}{'ratio':>8}  goal")
    what = f"{given.samples} to {2 * given.samples}, {given.resolution} px"
    print(f"{what:28}{median(grown):10.1f}{median(alone):10.1f}{median(grown) / median(alone):8.2f}  <= {GOAL}")


def spent(folder: Path, output: str, samples: int, resolution: int) -> float:
    """Processor time of a build in seconds."""
    words = ["--concepts", "concepts", "--backgrounds", "places", "--output", output]
    words += ["--samples", str(samples), "--resolution", str(resolution)]
    process = subprocess.Popen(
        [sys.executable, "-m", "builder", "build", *words, "--workers", "1"],
        cwd=folder,
        env={**os.environ, "MYCANVAS_CACHE": str(folder / "cache"), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{words} failed")
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
