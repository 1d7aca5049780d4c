"""Time of the engines over the same scenes, as ratios in one run: two processes, and Ray, beside one process.

Run: python -m tests.benchmarks.bench_engines [--samples 1000] [--resolution 256] [--rounds 3]

Only `make_shard` is measured: photos and backgrounds are ready, and workers have begun. All engines are kept, and take
turns with a slice of the shards, so that other programs slow all of them alike; a ratio is of the sums of all rounds.
On busy cores, seconds say how the system shares them, and only core-seconds, of all processes together, are comparable:
where they are equal, two idle cores are twice as fast as one.

- two processes: the time of one process, divided by theirs.
- Ray: its time with two workers, divided by that of two processes. With smaller scenes, its cost per task would be a
  larger fraction.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil

from builder.config import parse_config
from builder.engines import ENGINES
from builder.engines.base import Engine, EngineOptions
from builder.engines.local import LocalEngine
from builder.pipeline.build import cut_out_first, prepare, set_up, started
from builder.pipeline.build_folder import BuildFolder
from builder.pipeline.claim import claim
from builder.pipeline.shard import make_scenes, make_shard
from builder.pipeline.shard_task import ShardTask
from tests.conftest import draw_shape

CORES_GOAL, RAY_GOAL = 1.8, 1.10
NAMES = ("ball", "ball2", "box", "cone", "ring", "slab")
WARM = 4
"""Shards that each engine makes before it is measured; Ray's until all workers have begun."""


class Recorder(LocalEngine):
    """Keeps the tasks of a build, and runs none."""

    tasks: Sequence[Any] = ()

    def map(self, work: Callable[[Any], Any], tasks: Sequence[Any]) -> Iterator[Any]:  # noqa: ARG002
        """Keep the tasks."""
        self.tasks = tasks
        return iter(())


def main() -> None:
    """Measures and prints a line for each engine."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=1000)
    parser.add_argument("--resolution", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        tasks = prepared_tasks(Path(folder), given.samples, given.resolution)
        options = EngineOptions(folder=tasks[0].folder, workers=2)
        engines: dict[str, Engine] = {
            "one process": stack.enter_context(LocalEngine(1)),
            "two processes": stack.enter_context(ENGINES["local"](options)),
            "Ray, two workers": stack.enter_context(ENGINES["ray"](options)),
        }
        for engine in engines.values():
            spent(engine, tasks[:WARM])
        while "2 workers" not in engines["Ray, two workers"].report():
            spent(engines["Ray, two workers"], tasks[:WARM])
        seconds, cores = dict.fromkeys(engines, 0.0), dict.fromkeys(engines, 0.0)
        for number in range(given.rounds):
            own = tasks[number :: given.rounds]
            for name in [*engines][number % 3 :] + [*engines][: number % 3]:
                before = core_seconds()
                seconds[name] += spent(engines[name], own)
                cores[name] += core_seconds() - before
    one, two, ray = seconds.values()
    print(f"{given.samples} scenes of {given.resolution} pixels")
    for name, value in seconds.items():
        print(f"{name:20}{value:8.1f} s{cores[name]:8.1f} core-seconds")
    used = list(cores.values())
    print(f"\n{'ratio':34}{'seconds':>10}  goal{'core-seconds':>18}")
    print(f"{'one process / two processes':34}{one / two:10.2f}  >= {CORES_GOAL:g}{used[0] / used[1]:15.2f}")
    print(f"{'Ray, two workers / two processes':34}{ray / two:10.2f}  <= {RAY_GOAL:g}{used[2] / used[1]:15.2f}")


def spent(engine: Engine, tasks: Sequence[ShardTask]) -> float:
    """The seconds in which an engine makes shards, which no engine has made before."""
    shutil.rmtree(tasks[0].folder / ".build" / "candidates", ignore_errors=True)
    began = time.perf_counter()
    made = sum(report.made for report in engine.map(make_shard, tasks))
    assert made == sum(task.shard.count for task in tasks), "scenes are missing"
    return time.perf_counter() - began


def core_seconds() -> float:
    """The time of cores that this process and all that it started have used; none of the workers ends meanwhile."""
    here = psutil.Process()
    return sum(sum(process.cpu_times()[:2]) for process in (here, *here.children(recursive=True)))


def prepared_tasks(folder: Path, samples: int, resolution: int) -> Sequence[ShardTask]:
    """The tasks of a build of drawn shapes on painted backgrounds, whose cut-outs and backgrounds are ready."""
    for index, name in enumerate(NAMES):
        (folder / "shapes" / name).mkdir(parents=True)
        for view in range(2):
            draw_shape(folder / "shapes" / name / f"{view}.png", index, view)
    values = {"concepts": folder / "shapes", "output": folder / "out", "samples": samples, "resolution": resolution}
    setup = set_up(parse_config(values), BuildFolder(folder / "out"))
    with claim(setup.folder, setup.request), started(setup) as context, Recorder(1) as recorder:
        plan = prepare(cut_out_first(context, setup.inputs))
        make_scenes(replace(context, engine=recorder), plan, setup.inputs.backgrounds)
        return recorder.tasks


if __name__ == "__main__":
    main()
