"""Take shards of the plan through all stages, in the poster's order, and write their candidates."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache, partial
from itertools import islice
from pathlib import Path

from builder.config import BuildConfig
from builder.pipeline.build_folder import BuildFolder
from builder.pipeline.context import BuildContext
from builder.pipeline.plan import Plan, PlannedScene, scene_of, step_of
from builder.pipeline.prepare import one_thread, read_background
from builder.pipeline.prepared_files import read_cutout
from builder.pipeline.required_models import backends_with_models
from builder.pipeline.rows import Row, candidate_row
from builder.pipeline.shard_task import ShardReport, ShardTask
from builder.pipeline.stage_runner import StageRunner
from builder.records import BackgroundRef, Candidate, Cutout, Rejected, Setting, Size
from builder.stages.backgrounds import BackgroundSource
from builder.stages.caption import CAPTIONERS, caption
from builder.stages.layout import LAYOUTS, arrange
from builder.stages.paste import paste
from builder.stages.repaint import REPAINTERS, repaint
from builder.stages.score import SCORERS, score
from builder.stages.select import SelectConfig, failed_scene_bound
from mycanvas import __version__
from mycanvas.io.messages import counted
from mycanvas.io.progress import Progress

log = logging.getLogger("mycanvas")

BATCH = 1
"""Scenes that pass through the stages together, if no stage runs a model: more take memory, and save no time."""
CUTOUTS_HELD = 64
"""Cut-outs that a worker keeps open: at most 4 MB each at a resolution of 1024, shared with other workers."""


def make_scenes(context: BuildContext, plan: Plan, backgrounds: Sequence[BackgroundRef]) -> None:
    """Make every shard of the plan, or of this process's part of it, that is not finished yet.

    Args:
        context: the build.
        plan: its plan.
        backgrounds: of the build; the plan names their photos.
    """
    config, folder, part = context.config, context.folder, context.part
    digest = config.digest()
    shards = [shard for shard in plan.shards() if shard.number % part.count == part.index]
    done = {
        shard.number
        for shard in shards
        if (marker := folder.marker(shard.number, digest, shard.plan)) and not marker.retriable
    }
    made_by = backends_with_models(config, folder.revisions())
    provenance: dict[str, str | int] = {"mycanvas": __version__, "seed": config.seed, "config": digest, **made_by}
    photos = {each.photo.id: each.photo for each in backgrounds if each.photo}
    tasks = [
        ShardTask(
            folder=folder.path,
            shard=shard,
            backgrounds=photos,
            config=config,
            runtime=context.runtime,
            provenance=provenance,
        )
        for shard in shards
        if shard.number not in done
    ]
    finished = sum(shard.count for shard in shards if shard.number in done)
    if context.has_language_model() and config.engine == "local":  # workers of a cluster may have GPUs of their own
        _ask_for_layouts(context.alone(), tasks)
    began, made = time.monotonic(), 0
    with Progress("composing", sum(shard.count for shard in shards), "scene", done=finished) as progress:
        for report in (context.map_shards or context.engine.map)(make_shard, tasks):
            progress.update(report.planned)
            made += report.made
    if tasks and (workers := context.engine.report()):
        log.info("made %s in %.1f s on %s", counted(made, "scene"), time.monotonic() - began, workers)


def missing_shards(folder: BuildFolder, plan: Plan) -> list[int]:
    """The numbers of the shards of the whole plan, of all parts, that are not finished."""
    made = folder.made_shards()
    return [shard.number for shard in plan.shards() if shard.number not in made]


@one_thread()
def _ask_for_layouts(context: BuildContext, tasks: Sequence[ShardTask]) -> None:
    """Ask the language model for the layouts of all scenes; `make_shard` then finds its replies in the folder."""
    stages = StageRunner(context.config, context.runtime)
    with Progress("asking for layouts", sum(task.shard.count for task in tasks), "scene") as progress:
        for task in tasks:
            settings = list(read_settings(task.scenes(), task.folder, task.config))
            stages.run("layout", LAYOUTS, arrange, settings, context.config.layout)
            progress.update(len(settings))


@one_thread()
def make_shard(task: ShardTask) -> ShardReport:
    """Take a shard's scenes through all stages and write its candidates.

    A scene that no attempt has made within the step's bounds is drawn again, as often as the step allows. Candidates of
    an earlier run are kept. What it rejected is tried again only if the rejection is retriable.
    """
    folder, step = BuildFolder(task.folder), step_of(BuildFolder(task.folder).plan_folder, task.shard.step)
    digest, bounds = task.config.digest(), SelectConfig(**step.select)
    before = folder.marker(task.shard.number, digest, task.shard.plan)
    rows = {row["id"]: row for row in folder.candidates(task.shard.number)} if before else {}
    rejected = {each.sample_id: each for each in (before.rejected if before else ()) if not each.retriable}
    provenance = {**task.provenance, "step": task.shard.step}
    planned = task.scenes()
    order: list[str] = []
    pending = planned
    for attempt in range(1, bounds.attempts + 1):
        order += [scene.sample.id for scene in pending]
        missing = [scene for scene in pending if scene.sample.id not in rows and scene.sample.id not in rejected]
        for result in run_stages(missing, task.folder, task):
            if isinstance(result, Rejected):
                rejected[result.sample_id] = result
            else:
                row = candidate_row(result, provenance)
                rows[row["id"]] = row
        pending = [
            scene.attempt(attempt + 1) for scene in pending if _is_drawn_again(scene.sample.id, rows, rejected, bounds)
        ]
    places = {scene.sample.id: place for place, scene in enumerate(planned)}
    order.sort(key=lambda name: places[scene_of(name)])  # the attempts of a scene follow each other
    ordered = [rows[name] for name in order if name in rows]
    lost = [rejected[name] for name in order if name in rejected]
    folder.write_candidates(task.shard.number, ordered, lost, digest, task.shard.plan)
    return ShardReport(planned=len(planned), made=len({scene_of(row["id"]) for row in ordered}))


def _is_drawn_again(name: str, rows: Mapping[str, Row], rejected: Mapping[str, Rejected], bounds: SelectConfig) -> bool:
    """Whether an attempt was rejected for good, or is out of the bounds on the scene itself."""
    if name in rejected:
        return not rejected[name].retriable
    return failed_scene_bound(rows[name]["scores"], bounds) is not None


def run_stages(scenes: Sequence[PlannedScene], folder: Path, task: ShardTask) -> Iterator[Candidate | Rejected]:
    """Run all stages of the poster after cutting out.

    Yields:
        One candidate or rejection per scene; within a batch, rejections first.
    """
    config = task.config
    stages = StageRunner(config, task.runtime)
    # Models run fastest on full batches, and with low memory are reloaded for each batch; without models, small batches
    # save memory.
    batch_size = len(scenes) if config.learned() else BATCH
    queue = iter(scenes)
    while batch := list(islice(queue, batch_size)):
        settings = list(read_settings(batch, folder, config))
        layouts = stages.run("layout", LAYOUTS, arrange, settings, config.layout)
        canvases = stages.collect(paste(layouts))
        painted = stages.run("repaint", REPAINTERS, repaint, canvases, config.repaint)
        captioned = stages.run("caption", CAPTIONERS, caption, painted, config.caption)
        candidates = stages.run("score", SCORERS, score, captioned, config.score)
        yield from stages.pop_rejected()
        yield from candidates


def read_settings(scenes: Sequence[PlannedScene], folder: Path, config: BuildConfig) -> Iterator[Setting]:
    """Read the cut-outs and the background of each scene; the last ones read are cached.

    Raises:
        MyCanvasError: a file is damaged, or a photo has changed. This stops the build and rejects no scene, because the
            user can fix it.
    """
    backgrounds = _background_source(folder, config.scene_sizes())
    for scene in scenes:
        sample = scene.sample
        cutouts = tuple(
            replace(_cutout(folder, key, photo_id), quality=quality)
            for key, photo_id, quality in zip(scene.cutouts, sample.photo_ids, scene.qualities, strict=True)
        )
        background = backgrounds.load(sample.background, sample.picture_size, config.seed, sample.id)
        yield Setting(sample=sample, cutouts=cutouts, background=background)


@lru_cache(maxsize=1)
def _background_source(path: Path, sizes: tuple[Size, ...]) -> BackgroundSource:
    return BackgroundSource(sizes, partial(read_background, BuildFolder(path)))


@lru_cache(maxsize=CUTOUTS_HELD)
def _cutout(path: Path, key: str, photo_id: str) -> Cutout:
    return read_cutout(BuildFolder(path), key, photo_id)
