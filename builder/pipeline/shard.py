"""One shard of the plan through all the stages, in the poster's order: what a worker does."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import islice
from pathlib import Path
from typing import TypeVar

from builder.config.schema import BuildConfig
from builder.pipeline.backends import Backend, Config, Runtime, with_backend
from builder.pipeline.build_folder import BuildFolder
from builder.pipeline.prepare import one_thread, read_cutout, read_painted
from builder.pipeline.rows import candidate_row
from builder.records import Candidate, Cutout, Rejected, Sample, Setting
from builder.stages.backgrounds import BackgroundSource
from builder.stages.caption import CAPTIONERS, caption
from builder.stages.layout import LAYOUTS, arrange
from builder.stages.paste import paste
from builder.stages.repaint import REPAINTERS, repaint
from builder.stages.score import SCORERS, score

BATCH = 4
"""Scenes that pass through the stages together; a worker holds no more in memory."""
CUTOUTS_HELD = 64
"""Cut-outs that a worker keeps open: at most 4 MB each at a resolution of 1024, shared with other workers."""

Before = TypeVar("Before")
After = TypeVar("After")


@dataclass(frozen=True, kw_only=True, slots=True)
class ShardTask:
    """One shard of the plan.

    keys: photo id -> cut-out. runtime: where models lie and run. provenance: goes into every row.
    """

    folder: Path
    shard: int
    samples: tuple[Sample, ...]
    keys: Mapping[str, str]
    config: BuildConfig
    runtime: Runtime
    provenance: Mapping[str, str | int]


@dataclass(frozen=True, kw_only=True, slots=True)
class ShardReport:
    """How much of a shard's plan became candidates."""

    planned: int
    made: int


@one_thread()
def make_shard(task: ShardTask) -> ShardReport:
    """Take a shard's samples through every stage and write its candidates.

    Scenes that an earlier run made are kept; those that it rejected for good stay rejected.
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
    """The poster, from cut-outs to scored scenes: one candidate or rejection per sample, rejections first."""
    config = task.config
    # Models want full batches, and with low memory take turns; without any, a few scenes at a time keep memory small.
    together = len(samples) if config.learned() else BATCH
    queue = iter(samples)
    while batch := list(islice(queue, together)):
        rejected: list[Rejected] = []
        settings = list(read_settings(batch, folder, task))
        layouts = _through(arrange, LAYOUTS, config.layout, settings, task, rejected)
        canvases = _passed(paste(layouts), rejected)
        scenes = _through(repaint, REPAINTERS, config.repaint, canvases, task, rejected)
        captioned = _through(caption, CAPTIONERS, config.caption, scenes, task, rejected)
        candidates = _through(score, SCORERS, config.score, captioned, task, rejected)
        yield from rejected
        yield from candidates


def _through(
    stage: Callable[[Sequence[Before], Backend, int], Iterable[After | Rejected]],
    registry: Mapping[str, Callable[[Config, Runtime], Backend]],
    config: Config,
    records: Sequence[Before],
    task: ShardTask,
    rejected: list[Rejected],
) -> list[After]:
    """What passes a stage that has backends."""
    if not records:
        return []
    return with_backend(
        registry, config, task.runtime, lambda backend: _passed(stage(records, backend, task.config.seed), rejected)
    )


def _passed(results: Iterable[After | Rejected], rejected: list[Rejected]) -> list[After]:
    passed: list[After] = []
    for result in results:
        if isinstance(result, Rejected):
            rejected.append(result)
        else:
            passed.append(result)
    return passed


def read_settings(samples: Sequence[Sample], folder: BuildFolder, task: ShardTask) -> Iterator[Setting]:
    """What each sample starts from; what was read lately is not read again.

    Raises:
        MyCanvasError: a file is damaged, or a photo has changed. No scene is given up for that: it can be mended.
    """
    backgrounds = _background_source(folder.path, task.config.resolution)
    for sample in samples:
        cutouts = tuple(_cutout(folder.path, task.keys[photo_id], photo_id) for photo_id in sample.photo_ids)
        background = backgrounds.load(sample.background, task.config.seed, sample.id)
        yield Setting(sample=sample, cutouts=cutouts, background=background)


@lru_cache(maxsize=1)
def _background_source(path: Path, resolution: int) -> BackgroundSource:
    return BackgroundSource(resolution, partial(read_painted, BuildFolder(path)))


@lru_cache(maxsize=CUTOUTS_HELD)
def _cutout(path: Path, key: str, photo_id: str) -> Cutout:
    return read_cutout(BuildFolder(path), key, photo_id)
