"""Scenes per core-second, beside the official step 2 on the same cut-outs, and where our own time goes.

Run: python -m tests.benchmarks.bench_compose [--rounds 8] [--resolution 1024]

Ours is a real plan of 300 scenes with 2 to 5 objects from 30 concepts of 5 photos, taken shard by shard through
`make_shard`: reading cut-outs and backgrounds where its caches do not hold them, layout, paste, colours and shadows,
caption, scores, JPEG and mask, and the finished shard on disk. The official step 2 (official.py) gets the same objects
at the same places, on black. Both run in this one process on one core and take turns; counted is the processor's time,
which other work on the machine changes less than time on the clock. Cut-outs are made once, before, on both sides.

Below it says where our time goes, stage by stage with warm caches; the rest is reading what no cache holds, and writing
the shard. Last, what is done once for each photo, and what a scene of this build costs with its share of that; the
official step 1, which runs a network three times over each photo, is then still not counted.
"""

from __future__ import annotations

import argparse
import hashlib
import logging
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, TypeVar

import cv2
import numpy as np
from PIL import Image

from builder.config import BuildConfig, load_config
from builder.pipeline.build_folder import BuildFolder
from builder.pipeline.prepare import CutoutTask, cut_out
from builder.pipeline.rows import candidate_row
from builder.pipeline.shard import make_shard, read_settings
from builder.pipeline.shard_task import ShardTask
from builder.pipeline.stage_runner import StageRunner
from builder.records import Candidate, Concept, Layout, PhotoFile, Sample
from builder.stages.backgrounds import find_backgrounds
from builder.stages.caption import CAPTIONERS, caption
from builder.stages.layout import LAYOUTS, arrange
from builder.stages.paste import paste
from builder.stages.plan import draw_plan
from builder.stages.repaint import REPAINTERS, repaint
from builder.stages.score import SCORERS, score
from mycanvas.models.runtime import Runtime
from tests.benchmarks import official
from tests.benchmarks.pictures import draw_backgrounds, draw_object, textured

CONCEPTS, VIEWS, DRAWN = 30, 5, 6
"""Concepts of a build, photos of each, and how many different pictures stand for them."""
SCENES = 300
OFFICIAL_SHARE = 4
"""The official step 2 composes every fourth scene of a shard."""

Result = TypeVar("Result")


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """The scenes to compose: pictures of `side` pixels, cropped to their object or whole photos, and the goal."""

    name: str
    side: int
    cropped: bool
    goal: float


CASES = (
    Case(name="cut-outs of 1024 px", side=1024, cropped=True, goal=2),
    Case(name="photos of 3000 px", side=3000, cropped=False, goal=8),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Bench:
    """A build that is ready to make scenes.

    masters: the official files of each photo id. once: seconds that cutting out one photo took.
    """

    config: BuildConfig
    folder: BuildFolder
    shards: tuple[tuple[Sample, ...], ...]
    keys: dict[str, str]
    masters: dict[str, tuple[Path, Path]]
    once: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Measured:
    """Milliseconds of one case: a scene by either, of ours by stage, and what cutting out a photo takes once."""

    mine: float
    official: float
    ratio: float
    stages: dict[str, float]
    once: float


def main() -> None:
    """Measures both cases and prints three tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=8, help="shards of 16 scenes")
    parser.add_argument("--resolution", type=int, default=1024)
    given = parser.parse_args()
    cv2.setNumThreads(1)
    logging.disable(logging.WARNING)
    print(f"{'core-milliseconds a scene':28}{'mycanvas':>10}{'official':>10}{'ratio':>8}  goal")
    found: dict[str, Measured] = {}
    for case in CASES:
        with tempfile.TemporaryDirectory() as folder:
            bench = prepare(Path(folder), case, given.resolution)
            found[case.name] = one = measure(bench, min(given.rounds, len(bench.shards)))
        print(f"{case.name:28}{one.mine:10.1f}{one.official:10.1f}{one.ratio:8.2f}  >= {case.goal:g}", flush=True)
    print(f"\n{'of it':28}" + "".join(f"{stage:>11}" for stage in one.stages))
    for name, one in found.items():
        print(f"{name:28}" + "".join(f"{milliseconds:11.1f}" for milliseconds in one.stages.values()))
    print(f"\n{'with the cutting out':28}{'a photo':>10}{'mycanvas':>10}{'ratio':>18}")
    for name, one in found.items():
        whole = one.mine + one.once * CONCEPTS * VIEWS / SCENES
        print(f"{name:28}{one.once:10.0f}{whole:10.1f}{one.official / whole:18.2f}")
    print("The 1024 px are ready cut-outs; the 3000 px are segmented (TriCut). The official step 1 is not counted.")


def measure(bench: Bench, rounds: int) -> Measured:
    """Both take turns, shard by shard."""
    ours: list[float] = []
    theirs: list[float] = []
    stages: defaultdict[str, list[float]] = defaultdict(list)
    for shard in range(rounds):
        task = shard_task(bench, shard)
        seconds, report = spent(partial(make_shard, task))
        ours.append(1000 * seconds / report.made)
        layouts = profile(task, bench, stages)[::OFFICIAL_SHARE]
        theirs.append(1000 * median(spent(partial(compose, bench, each))[0] for each in layouts))
    known = {name: 1000 * median(values) for name, values in stages.items()}
    return Measured(
        mine=median(ours),
        official=median(theirs),
        ratio=median(other / mine for mine, other in zip(ours, theirs, strict=True)),
        stages={**known, "rest": median(ours) - sum(known.values())},
        once=1000 * bench.once,
    )


def profile(task: ShardTask, bench: Bench, stages: defaultdict[str, list[float]]) -> list[Layout]:
    """Adds each stage's seconds a scene, with warm caches; returns the layouts, for the official step 2."""
    config, runner = task.config, StageRunner(task.config, task.runtime)
    count = len(task.samples)

    def timed(name: str, work: Callable[[], Iterable[Result]]) -> list[Result]:
        seconds, results = spent(lambda: list(work()))
        stages[name].append(seconds / count)
        return results

    settings = timed("background", lambda: read_settings(task.samples, bench.folder, task))
    layouts = timed("layout", lambda: runner.run("layout", LAYOUTS, arrange, settings, config.layout))
    canvases = timed("paste", lambda: runner.collect(paste(layouts)))
    scenes = timed("repaint", lambda: runner.run("repaint", REPAINTERS, repaint, canvases, config.repaint))
    captioned = timed("caption", lambda: runner.run("caption", CAPTIONERS, caption, scenes, config.caption))
    candidates = timed("score", lambda: runner.run("score", SCORERS, score, captioned, config.score))
    timed("encode", lambda: map(encoded, candidates))
    return layouts


def encoded(candidate: Candidate) -> dict[str, Any]:
    """The scene as a row."""
    return candidate_row(candidate, {})


def compose(bench: Bench, layout: Layout) -> None:
    """The same scene by the official step 2."""
    setting = layout.setting
    items = []
    for photo_id, place in zip(setting.sample.photo_ids, layout.placements, strict=True):
        foreground, mask = bench.masters[photo_id]
        box = (place.x, place.y, place.x + place.width, place.y + place.height)
        items.append(official.Item(foreground=foreground, mask=mask, box=box))
    out = bench.folder.path / "official"
    official.compose(items, bench.config.resolution, out / "img.png", out / "mask.png")


def prepare(folder: Path, case: Case, resolution: int) -> Bench:
    """Draws photos and backgrounds, cuts out what is to be cut out, and plans the scenes."""
    concepts, masters = draw_photos(folder, case)
    draw_backgrounds(folder / "backgrounds")
    given = {"concepts": str(folder), "backgrounds": str(folder / "backgrounds"), "output": str(folder / "out")}
    config = load_config(None, "classic", {**given, "samples": SCENES, "resolution": resolution})
    build = BuildFolder(config.output)
    (build.path / "official").mkdir(parents=True)
    photos = [photo for concept in concepts for photo in concept.photos]
    tasks = [
        CutoutTask(folder=build.path, photos=(photo,), keys=(photo.sha256[:32],), config=config, runtime=Runtime())
        for photo in photos
    ]
    seconds = [spent(partial(cut_out, task))[0] for task in tasks]
    usable = {concept.name: [photo.id for photo in concept.photos] for concept in concepts}
    samples = draw_plan(concepts, usable, find_backgrounds(folder / "backgrounds").backgrounds, config)
    step = config.shard_size
    return Bench(
        config=config,
        folder=build,
        shards=tuple(samples[start : start + step] for start in range(0, len(samples), step)),
        keys={task.photos[0].id: task.keys[0] for task in tasks},
        masters=masters,
        once=median(seconds[:DRAWN]) if case.cropped else find_object(folder, config, build),
    )


def shard_task(bench: Bench, shard: int) -> ShardTask:
    """The arguments of a worker."""
    return ShardTask(
        folder=bench.folder.path,
        shard=shard,
        samples=bench.shards[shard],
        keys=bench.keys,
        qualities=dict.fromkeys(bench.keys, 1.0),
        config=bench.config,
        runtime=Runtime(),
        provenance={"seed": 0},
    )


def find_object(folder: Path, config: BuildConfig, build: BuildFolder) -> float:
    """Seconds that it takes to find the object of one photo that has no alpha, and to keep its cut-out."""
    rgba = np.asarray(Image.open(folder / "0.png"))
    alpha = rgba[..., 3:] / np.float32(255)
    ground = textured(rgba.shape[:2], seed=99, tint=(150, 140, 120))
    path = folder / "photo.jpg"
    Image.fromarray((rgba[..., :3] * alpha + ground * (1 - alpha)).astype(np.uint8)).save(path, quality=95)
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    photo = PhotoFile(id="photo/photo.jpg", path=path, sha256=sha256)
    return spent(
        lambda: cut_out(
            CutoutTask(folder=build.path, photos=(photo,), keys=("photo",), config=config, runtime=Runtime())
        )
    )[0]


def draw_photos(folder: Path, case: Case) -> tuple[list[Concept], dict[str, tuple[Path, Path]]]:
    """The concepts, and by photo id the two files that the official step 1 would have left of the photo.

    A few pictures stand for all, under ids of their own: scenes of ours take each for another one.
    """
    pictures: list[tuple[Path, str]] = []
    files: list[tuple[Path, Path]] = []
    for kind in range(DRAWN):
        rgba, path = draw_object(kind, case.side, cropped=case.cropped), folder / f"{kind}.png"
        Image.fromarray(rgba).save(path, compress_level=1)
        pictures.append((path, hashlib.sha256(path.read_bytes()).hexdigest()))
        files.append((folder / f"foreground{kind}.png", folder / f"mask{kind}.png"))
        official.write_item_files(rgba, *files[-1])
    concepts = [draw_concept(number, pictures) for number in range(CONCEPTS)]
    photos = [photo for concept in concepts for photo in concept.photos]
    return concepts, {photo.id: files[index % DRAWN] for index, photo in enumerate(photos)}


def draw_concept(number: int, pictures: list[tuple[Path, str]]) -> Concept:
    """A thing with its photos: the next few of the pictures."""
    name = f"thing{number}"
    numbers = range(number * VIEWS, (number + 1) * VIEWS)
    photos = [
        PhotoFile(id=f"{name}/{view}.png", path=pictures[view % DRAWN][0], sha256=pictures[view % DRAWN][1])
        for view in numbers
    ]
    return Concept(name=name, token=f"<{name}>", class_noun="thing", height_cm=None, photos=tuple(photos))


def spent(work: Callable[[], Result]) -> tuple[float, Result]:
    """Seconds of processor time of this process, all its threads together."""
    start = time.process_time()
    result = work()
    return time.process_time() - start, result


if __name__ == "__main__":
    main()
