"""Processor time and memory of whole builds of the profile classic, beside an earlier commit.

Run: python -m tests.benchmarks.bench_build [--rounds 1] [--against a142aea] [--photos DIR] [--samples 300]

Both build the same photos without backgrounds from the command line, in processes that take turns, each with a home and
a cache of its own that are empty at first. The photos are those beside this checkout, else rendered toys. A build is
measured from its start to its end, with its workers, in user and system mode:

- first: with an empty cache.
- second: the same photos with another seed and another output.
- scenes: the first again, after its scenes were deleted, minus the time of that command when nothing is left to do.
- once: what each build spends on photos and painted backgrounds: its time without that of the first again. Its ratio is
  of the first build to the second one, of the present code.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from statistics import median

from tests.benchmarks.earlier import arguments, take_turns
from tests.conftest import SHARED_PHOTOS, photograph_toy

TOYS, VIEWS, TOY_SIDE = ("duck", "teapot", "mug", "rocket"), 3, 512
GOALS = {"first": 3.0, "second": 3.0, "scenes": 1.5, "memory": 1.0}
ONCE_GOAL = 10

BUILD = """
import json, os, shutil, subprocess, sys
from pathlib import Path

home, photos, samples = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
environment = {**os.environ, "HOME": str(home), "MYCANVAS_CACHE": str(home / "cache"), "OMP_NUM_THREADS": "1"}
peaks = []

def spent(name, seed):
    words = ["build", "--concepts", photos, "--output", str(home / name), "--samples", samples, "--seed", str(seed)]
    process = subprocess.Popen(
        [sys.executable, "-m", "builder", *words, "--workers", "1"],
        env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{words} failed")
    peaks.append(used.ru_maxrss)
    return used.ru_utime + used.ru_stime

found = {"first": spent("first", 0), "second": spent("second", 1)}
idle = spent("first", 0)
shutil.rmtree(home / "first" / ".build" / "candidates")
again = spent("first", 0)
found |= {"scenes": again - idle, "once, first": found["first"] - again, "once, second": found["second"] - again}
print(json.dumps(found | {"memory": max(peaks) / 1024}))
"""
"""A program that prints the seconds of each item, and the largest memory of a process in MiB.

Its arguments: an empty folder, the folder of photos, the number of scenes.
"""


def main() -> None:
    """Measures both and prints a line for each item."""
    parser = arguments(__doc__, rounds=1)
    parser.add_argument("--photos", type=Path, default=SHARED_PHOTOS / "concepts", help="folder of concepts")
    parser.add_argument("--samples", type=int, default=300)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        photos = given.photos if given.photos.is_dir() else photograph_toys(Path(folder))
        rounds = take_turns(BUILD, given.against, given.rounds, str(photos.resolve()), str(given.samples))
    print(f"{'core-seconds':16}{given.against:>10}{'now':>10}{'ratio':>8}  goal")
    before, now = ({name: median(each[side][name] for each in rounds) for name in rounds[0][0]} for side in (0, 1))
    for name, goal in GOALS.items():
        label = "memory, MiB" if name == "memory" else name
        print(f"{label:16}{before[name]:10.1f}{now[name]:10.1f}{before[name] / now[name]:8.2f}  >= {goal:g}")
    first, second = now["once, first"], now["once, second"]
    print(f"\n{'once, now':16}{'first':>10}{'second':>10}{'ratio':>8}  goal")
    print(f"{'':16}{first:10.1f}{second:10.1f}{first / second:8.1f}  >= {ONCE_GOAL}")


def photograph_toys(folder: Path) -> Path:
    """Photos of a few toys, as the demo renders them; return their folder."""
    for name in TOYS:
        (folder / name).mkdir()
        for view in range(VIEWS):
            photograph_toy(folder / name / f"{view}.jpg", name, view, TOY_SIDE)
    return folder


if __name__ == "__main__":
    main()
