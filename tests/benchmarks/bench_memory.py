"""Peak memory of a build of few scenes and of one of many.

Run: python -m tests.benchmarks.bench_memory [--resolution 256] [--workers 1] [--few 300] [--many 3000] [--goal 1.1]

In full, which takes minutes: --few 1000 --many 20000 --goal 1.05.

Counted is resident memory of `mycanvas build` and its children together, looked at every few milliseconds, and what the
system counted as the largest of the process itself: short peaks fall between two looks. Scenes are
small to be quick, and because that is stricter: pixels are held for a few scenes at a time however many there are, and
what could grow with their number (plan, scores, captions, the copying of shards) is the larger part of the whole, the
smaller the pictures.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

from tests.conftest import draw_shape

SHAPES = ("ball", "ball2", "box", "cone", "ring", "slab")
INTERVAL = 0.01
"""Seconds between two looks."""


def main() -> None:
    """Builds twice and prints one line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--resolution", type=int, default=256, help="pixels of a side")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--few", type=int, default=300, help="scenes")
    parser.add_argument("--many", type=int, default=3000, help="scenes")
    parser.add_argument("--goal", type=float, default=1.1)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        concepts = Path(folder) / "concepts"
        for kind, name in enumerate(SHAPES):
            (concepts / name).mkdir(parents=True)
            for view in range(2):
                draw_shape(concepts / name / f"{view}.png", kind, view)
        options = ["--resolution", str(given.resolution), "--workers", str(given.workers)]
        few, many = (
            peak_of_build(concepts, Path(folder) / str(count), count, options) for count in (given.few, given.many)
        )
    print(f"{'peak memory, MB':24}{f'{given.few} scenes':>12}{f'{given.many} scenes':>14}{'ratio':>8}  goal")
    what = f"{given.resolution} px, {given.workers} worker{'s' * (given.workers > 1)}"
    print(f"{what:24}{few / 1e6:12.0f}{many / 1e6:14.0f}{many / few:8.3f}  <= {given.goal:g}")


def peak_of_build(concepts: Path, output: Path, samples: int, options: list[str]) -> int:
    """Bytes."""
    return peak_of(["build", "--concepts", str(concepts), "--output", str(output), "--samples", str(samples), *options])


def peak_of(arguments: list[str]) -> int:
    """Bytes that a command of `mycanvas` needs at most."""
    command = [sys.executable, "-m", "builder", *arguments]
    with tempfile.TemporaryFile() as log:
        process = psutil.Popen(command, stdout=log, stderr=log)
        peak = 0
        while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
            peak = max(peak, resident(process))
            time.sleep(INTERVAL)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        peak = max(peak, used.ru_maxrss * 1024)
        if process.returncode:
            log.seek(0)
            raise subprocess.CalledProcessError(process.returncode, process.args, log.read())
    return peak


def resident(process: psutil.Process) -> int:
    """Bytes that a process and its children hold in memory now; those that end meanwhile hold none."""
    total = 0
    try:
        for each in (process, *process.children(recursive=True)):
            total += each.memory_info().rss
    except psutil.NoSuchProcess:
        pass
    return total


if __name__ == "__main__":
    main()
