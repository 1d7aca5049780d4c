"""Take shards of the plan through all stages, in the poster's order, and write their candidates."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from itertools import islice
from pathlib import Path

from builder.config import BuildConfig
from builder.pipeline.build_folder import BuildFolder
from builder.pipeline.context import WHOLE, BuildContext
from builder.pipeline.prepare import one_thread, read_background
from builder.pipeline.prepared_files import read_cutout
from builder.pipeline.required_models import backends_with_models
from builder.pipeline.rows import candidate_row
from builder.pipeline.source_photos import CutoutUse
from builder.pipeline.stage_runner import StageRunner
from builder.records import Candidate, Cutout, Rejected, Sample, Setting, Size
from builder.stages.backgrounds import BackgroundSource
from builder.stages.caption import CAPTIONERS, caption
from builder.stages.layout import LAYOUTS, arrange
from builder.stages.paste import paste
from builder.stages.repaint import REPAINTERS, repaint
from builder.stages.score import SCORERS, score
from mycanvas import __version__
from mycanvas.io.messages import counted
from mycanvas.io.progress import Progress
from mycanvas.models.runtime import Runtime

log = logging.getLogger("mycanvas")

BATCH = 1
"""Scenes that pass through the stages together, if no stage runs a model: more take memory, and save no time."""
CUTOUTS_HELD = 64
"""Cut-outs that a worker keeps open: at most 4 MB each at a resolution of 1024, shared with other workers."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ShardTask:
    """One shard of the plan.

    keys, qualities: photo id -> name of its cut-out's files, and its quality. runtime: how the backends run, and where
    their models are. provenance: stored in every row.
    """

    folder: Path
    shard: int
    samples: tuple[Sample, ...]
    keys: Mapping[str, str]
    qualities: Mapping[str, float]
    config: BuildConfig
    runtime: Runtime
    provenance: Mapping[str, str | int]


@dataclass(frozen=True, kw_only=True, slots=True)
class ShardReport:
    """The result of one shard. planned, made: numbers of scenes."""

    planned: int
    made: int


def make_scenes(context: BuildContext, samples: Sequence[Sample], cutouts: Sequence[CutoutUse]) -> None:
    """Make every shard of the plan, or of this process's part of it, that is not finished yet."""
    config, folder = context.config, context.folder
    digest = config.digest()
    shards = _shards(context, samples)
    done = {index for index in shards if (marker := folder.marker(index, digest)) and not marker.retriable}
    used = {cutout.id: cutout for cutout in cutouts if cutout.in_plan}
    made_by = backends_with_models(config, folder.revisions())
    tasks = [
        ShardTask(
            folder=folder.path,
            shard=index,
            samples=tuple(shard),
            keys={photo_id: used[photo_id].key for sample in shard for photo_id in sample.photo_ids},
            qualities={photo_id: used[photo_id].quality or 0.0 for sample in shard for photo_id in sample.photo_ids},
            config=config,
            runtime=context.runtime,
            provenance={"mycanvas": __version__, "seed": config.seed, "config": digest, **made_by},
        )
        for index, shard in shards.items()
        if index not in done
    ]
    finished = sum(len(shards[index]) for index in done)
    if context.has_language_model() and config.engine == "local":  # workers of a cluster may have GPUs of their own
        _ask_for_layouts(context.alone(), tasks)
    began, made = time.monotonic(), 0
    with Progress("composing", sum(map(len, shards.values())), "scene", done=finished) as progress:
        for report in context.engine.map(make_shard, tasks):
            progress.update(report.planned)
            made += report.made
    if tasks and (workers := context.engine.report()):
        log.info("made %s in %.1f s on %s", counted(made, "scene"), time.monotonic() - began, workers)


def missing_shards(context: BuildContext, samples: Sequence[Sample]) -> list[int]:
    """The numbers of the shards of the whole plan, of this and all other parts, that are not finished."""
    made = context.folder.made_shards()
    return [index for index in _shards(replace(context, part=WHOLE), samples) if index not in made]


def _shards(context: BuildContext, samples: Sequence[Sample]) -> dict[int, Sequence[Sample]]:
    """The samples of each shard of this process's part, by its number in the plan."""
    size, part = context.config.shard_size, context.part
    numbers = range(part.index, -(-len(samples) // size), part.count)
    return {number: samples[number * size : (number + 1) * size] for number in numbers}


@one_thread()
def _ask_for_layouts(context: BuildContext, tasks: Sequence[ShardTask]) -> None:
    """Ask the language model for the layouts of all scenes; `make_shard` then finds its replies in the folder."""
    stages = StageRunner(context.config, context.runtime)
    with Progress("asking for layouts", sum(len(task.samples) for task in tasks), "scene") as progress:
        for task in tasks:
            settings = list(read_settings(task.samples, context.folder, task))
            stages.run("layout", LAYOUTS, arrange, settings, context.config.layout)
            progress.update(len(settings))


@one_thread()
def make_shard(task: ShardTask) -> ShardReport:
    """Take a shard's samples through all stages and write its candidates.

    Scenes of an earlier run are kept. Samples that it rejected are tried again only if the rejection is retriable.
    """
    folder = BuildFolder(task.folder)
    digest = task.config.digest()
    before = folder.marker(task.shard, digest)
    rows = {row["id"]: row for row in folder.candidates(task.shard)} if before else {}
    rejected = [rejection for rejection in before.rejected if not rejection.retriable] if before else []
    settled = {*rows, *(rejection.sample_id for rejection in rejected)}
    pending = [sample for sample in task.samples if sample.id not in settled]
    for result in run_stages(pending, folder, task):
        if isinstance(result, Rejected):
            rejected.append(result)
        else:
            row = candidate_row(result, task.provenance)
            rows[row["id"]] = row
    ordered = [rows[sample.id] for sample in task.samples if sample.id in rows]
    folder.write_candidates(task.shard, ordered, rejected, digest)
    return ShardReport(planned=len(task.samples), made=len(ordered))


def run_stages(samples: Sequence[Sample], folder: BuildFolder, task: ShardTask) -> Iterator[Candidate | Rejected]:
    """Run all stages of the poster after cutting out.

    Yields:
        One candidate or rejection per sample; within a batch, rejections first.
    """
    config = task.config
    stages = StageRunner(config, task.runtime)
    # Models run fastest on full batches, and with low memory are reloaded for each batch; without models, small batches
    # save memory.
    batch_size = len(samples) if config.learned() else BATCH
    queue = iter(samples)
    while batch := list(islice(queue, batch_size)):
        settings = list(read_settings(batch, folder, task))
        layouts = stages.run("layout", LAYOUTS, arrange, settings, config.layout)
        canvases = stages.collect(paste(layouts))
        scenes = stages.run("repaint", REPAINTERS, repaint, canvases, config.repaint)
        captioned = stages.run("caption", CAPTIONERS, caption, scenes, config.caption)
        candidates = stages.run("score", SCORERS, score, captioned, config.score)
        yield from stages.pop_rejected()
        yield from candidates


def read_settings(samples: Sequence[Sample], folder: BuildFolder, task: ShardTask) -> Iterator[Setting]:
    """Read the cut-outs and the background of each sample; the last ones read are cached.

    Raises:
        MyCanvasError: a file is damaged, or a photo has changed. This stops the build and rejects no scene, because the
            user can fix it.
    """
    backgrounds = _background_source(folder.path, task.config.scene_sizes())
    for sample in samples:
        cutouts = tuple(
            replace(_cutout(folder.path, task.keys[photo_id], photo_id), quality=task.qualities[photo_id])
            for photo_id in sample.photo_ids
        )
        background = backgrounds.load(sample.background, sample.picture_size, task.config.seed, sample.id)
        yield Setting(sample=sample, cutouts=cutouts, background=background)


@lru_cache(maxsize=1)
def _background_source(path: Path, sizes: tuple[Size, ...]) -> BackgroundSource:
    return BackgroundSource(sizes, partial(read_background, BuildFolder(path)))


@lru_cache(maxsize=CUTOUTS_HELD)
def _cutout(path: Path, key: str, photo_id: str) -> Cutout:
    return read_cutout(BuildFolder(path), key, photo_id)
