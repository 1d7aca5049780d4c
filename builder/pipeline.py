"""What a worker does: cut one photo out, or take one shard of the plan through the stages, in the poster's order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np

from builder.backgrounds import BackgroundSource
from builder.caption import CAPTIONERS, caption
from builder.config import BuildConfig
from builder.errors import MyCanvasError
from builder.layout import LAYOUTS, arrange
from builder.paste import paste
from builder.photos import read_photo
from builder.records import Candidate, Cutout, PhotoFile, Rejected, Sample, Setting
from builder.repaint import REPAINTERS, repaint
from builder.rows import candidate_row, jpeg, png
from builder.score import SCORERS, score
from builder.segment import SEGMENTERS, segment
from builder.store import BuildFolder, read_json, write_bytes, write_json

PHOTO_SIDE = 2048
"""Longest side in pixels at which a source photo is read, masked and published."""
BATCH = 4
"""Scenes that pass through the stages together; a worker holds no more in memory."""
CUTOUTS_HELD = 64
"""Cut-outs that a worker keeps decoded: at most 4 MB each at a resolution of 1024."""

Record = TypeVar("Record")


@dataclass(frozen=True, kw_only=True, slots=True)
class PhotoTask:
    """One photo to cut out; `key` names the result by the photo's content and the segmenter's parameters."""

    folder: Path
    photo: PhotoFile
    key: str
    config: BuildConfig


@dataclass(frozen=True, kw_only=True, slots=True)
class PhotoReport:
    """What became of a photo: the quality of its cut-out, or the reason why it has none."""

    photo_id: str
    key: str
    quality: float | None
    reason: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class ShardTask:
    """One shard of the plan; `keys` maps photo ids to cut-outs, `provenance` goes into every row."""

    folder: Path
    shard: int
    samples: tuple[Sample, ...]
    keys: Mapping[str, str]
    config: BuildConfig
    provenance: Mapping[str, str | int]


@dataclass(frozen=True, kw_only=True, slots=True)
class ShardReport:
    """How much of a shard's plan became candidates."""

    planned: int
    made: int


@contextmanager
def _one_thread() -> Iterator[None]:
    """Some of OpenCV's results depend on its number of threads; workers are how work is spread here."""
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(threads)


@_one_thread()
def cut_out(task: PhotoTask) -> PhotoReport:
    """Segment one photo and keep the cut-out, unless an earlier run did."""
    folder = BuildFolder(task.folder)
    marker = folder.cutout_file(task.key, "json")
    if not marker.is_file():
        write_json(marker, _segment_photo(folder, task))
    return PhotoReport(photo_id=task.photo.id, key=task.key, **read_json(marker))


def _segment_photo(folder: BuildFolder, task: PhotoTask) -> dict[str, float | str | None]:
    photo = read_photo(task.photo, PHOTO_SIDE)
    write_bytes(folder.cutout_file(task.key, "photo.jpg"), jpeg(photo.pixels))
    backend = SEGMENTERS[task.config.segment.backend](task.config.segment)
    (result,) = segment([photo], backend, task.config.segment, task.config.resolution)
    if isinstance(result, Rejected):
        return {"quality": None, "reason": result.reason}
    write_bytes(folder.cutout_file(task.key, "mask.png"), png(result.mask.astype(np.uint8) * 255))
    write_bytes(folder.cutout_file(task.key, "cutout.png"), png(result.rgba))
    return {"quality": result.quality, "reason": None}


@_one_thread()
def make_shard(task: ShardTask) -> ShardReport:
    """Take a shard's samples through every stage and write its candidates.

    Scenes that an earlier run made are kept; those that it rejected for good stay rejected.
    """
    folder = BuildFolder(task.folder)
    digest = task.config.digest()
    before = folder.marker(task.shard)
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
    config, seed = task.config, task.config.seed
    queue = iter(samples)
    while batch := list(islice(queue, BATCH)):
        rejected: list[Rejected] = []
        settings = _passed(_settings(batch, folder, task), rejected)
        layouts = _passed(arrange(settings, LAYOUTS[config.layout.backend](config.layout), seed), rejected)
        canvases = _passed(paste(layouts), rejected)
        scenes = _passed(repaint(canvases, REPAINTERS[config.repaint.backend](config.repaint), seed), rejected)
        captioned = _passed(caption(scenes, CAPTIONERS[config.caption.backend](config.caption), seed), rejected)
        candidates = _passed(score(captioned, SCORERS[config.score.backend](config.score), seed), rejected)
        yield from rejected
        yield from candidates


def _passed(results: Iterable[Record | Rejected], rejected: list[Rejected]) -> list[Record]:
    passed: list[Record] = []
    for result in results:
        if isinstance(result, Rejected):
            rejected.append(result)
        else:
            passed.append(result)
    return passed


def _settings(samples: Sequence[Sample], folder: BuildFolder, task: ShardTask) -> Iterator[Setting | Rejected]:
    backgrounds = _background_source(task.config.resolution)
    for sample in samples:
        try:
            cutouts = tuple(_read_cutout(folder.path, task.keys[photo_id], photo_id) for photo_id in sample.photo_ids)
            background = backgrounds.load(sample.background, task.config.seed, sample.id)
        except MyCanvasError as error:
            yield Rejected(sample_id=sample.id, stage="setting", reason=str(error))
            continue
        yield Setting(sample=sample, cutouts=cutouts, background=background)


@lru_cache(maxsize=1)
def _background_source(resolution: int) -> BackgroundSource:
    return BackgroundSource(resolution)


@lru_cache(maxsize=CUTOUTS_HELD)
def _read_cutout(path: Path, key: str, photo_id: str) -> Cutout:
    folder = BuildFolder(path)
    quality = read_json(folder.cutout_file(key, "json"))["quality"]
    rgba = cv2.imread(str(folder.cutout_file(key, "cutout.png")), cv2.IMREAD_UNCHANGED)
    mask = cv2.imread(str(folder.cutout_file(key, "mask.png")), cv2.IMREAD_GRAYSCALE)
    return Cutout(
        photo_id=photo_id, rgba=cv2.cvtColor(rgba, cv2.COLOR_BGRA2RGBA), mask=np.asarray(mask) > 0, quality=quality
    )
