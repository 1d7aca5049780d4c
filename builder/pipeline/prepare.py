"""Make the cut-outs of photos and the painted backgrounds once, and keep them in the build folder."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from builder.config import BuildConfig
from builder.pipeline.build_folder import BuildFolder
from builder.pipeline.cache_keys import prepared_key, settings_key
from builder.pipeline.cached_segmenter import CachedSegmenter
from builder.pipeline.context import BuildContext
from builder.pipeline.cutout_decisions import choose_cutouts, decide, network_advice
from builder.pipeline.cutout_keys import PHOTO_SIDE, cutout_key, cutout_side
from builder.pipeline.loaded_backends import with_backend
from builder.pipeline.plan import Plan
from builder.pipeline.planned_cutouts import PlannedCutouts, check_kept, planned_cutouts, with_planned_mask
from builder.pipeline.prepared_files import (
    cutout_marker,
    is_cut_out,
    is_painted,
    prepared_cutout,
    prepared_painting,
    read_colours,
    read_painted,
    write_prepared,
)
from builder.pipeline.result_cache import PREPARED, ResultCache, cache_folder, cache_size
from builder.pipeline.reviewed_cutouts import with_review
from builder.pipeline.siblings import compare_siblings
from builder.pipeline.source_photos import CutoutUse
from builder.records import Background, BackgroundRef, Concept, PhotoFile, Rgb
from builder.sources.photos import read_photo
from builder.stages.backgrounds import paint_scene
from builder.stages.segment import SEGMENTERS, segment
from builder.stages.segment.base import Matte
from mycanvas.io.progress import Progress
from mycanvas.models.runtime import Runtime

log = logging.getLogger("mycanvas")

_KEPT_BYTES = 16 * 2**20
"""After a block of this size was allocated and freed, glibc reuses the memory of smaller ones: new pages cost more time
than most operations on them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CutoutTask:
    """Photos to cut out together.

    keys: the name of each cut-out's files, from the photo and the parameters. cache: of results; None: there is none.
    """

    folder: Path
    photos: tuple[PhotoFile, ...]
    keys: tuple[str, ...]
    config: BuildConfig
    runtime: Runtime
    cache: Path | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """The outcome of a task. made: the number of its photos or backgrounds. problem: of the cache, if it had one."""

    made: int
    problem: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class PaintTask:
    """One background to paint. cache: as for CutoutTask."""

    folder: Path
    background: BackgroundRef
    cache: Path | None = None


@contextmanager
def one_thread() -> Iterator[None]:
    """Run OpenCV with one thread: some of its results depend on the number of threads, and workers run in parallel."""
    np.empty(_KEPT_BYTES, np.uint8)
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(threads)


def cut_out_all(context: BuildContext, concepts: Sequence[Concept]) -> tuple[CutoutUse, ...]:
    """Cut out every photo of every concept, and decide which cut-outs scenes may show.

    Where there is a plan, the cut-outs are those that it was drawn with. A photo whose mask cannot be used has no key.

    Raises:
        StoreError: a cut-out of the plan is lost and cannot be made again.
    """
    config, planned = context.config, planned_cutouts(context.folder)
    photos = [(concept, _photo_to_cut(photo, context, planned)) for concept in concepts for photo in concept.photos]
    _cut_out_missing(context, [found for _, found in photos])
    cutouts = [_read_use(context.folder, concept, found, planned) for concept, found in photos]
    colours = {cutout.id: read_colours(context.folder, cutout.key) for cutout in cutouts if cutout.quality is not None}
    weight = SEGMENTERS[config.backend_name("segment")].unlike_weight(config.backend_table("segment"))
    cutouts = compare_siblings(cutouts, colours, weight)
    if planned:
        return decide(planned.restored(cutouts), config.min_quality(), keep_best=config.segment.keep_best)
    chosen = choose_cutouts(cutouts, config.min_quality(), keep_best=config.segment.keep_best)
    if not config.backend("segment").learned and (advice := network_advice(chosen)):
        log.warning(advice)
    return chosen


@dataclass(frozen=True, kw_only=True, slots=True)
class _ToCut:
    """A photo with the name of its cut-out's files; "": its mask cannot be used.

    given: with all present masks. cut: with the mask by which it is cut out; None: another one was used, and the files
        are whole.
    """

    given: PhotoFile
    cut: PhotoFile | None
    key: str


def _photo_to_cut(photo: PhotoFile, context: BuildContext, planned: PlannedCutouts | None) -> _ToCut:
    if planned and (key := planned.keys.get(photo.id)):
        found = with_planned_mask(photo, key, context)
        if found is None and photo.id in planned.used:
            check_kept(photo, key, context)
        if found or is_cut_out(context.folder, key):
            return _ToCut(given=photo, cut=found, key=key)
    if photo.flaw:
        log.warning('"%s" is left out: %s', photo.id, photo.flaw)
        return _ToCut(given=photo, cut=None, key="")
    return _ToCut(given=photo, cut=photo, key=cutout_key(photo, context))


def _cut_out_missing(context: BuildContext, photos: Sequence[_ToCut]) -> None:
    """Cut out the photos whose cut-outs are not in the folder yet."""
    config, cache = context.config, cache_folder()
    step = SEGMENTERS[config.backend_name("segment")].batch_size(config.backend_table("segment"))
    work = [(photo.cut, photo.key) for photo in photos if photo.cut]
    tasks = [
        CutoutTask(
            folder=context.folder.path,
            photos=tuple(photo for photo, _ in batch),
            keys=tuple(key for _, key in batch),
            config=config,
            runtime=context.runtime,
            cache=cache,
        )
        for batch in (work[start : start + step] for start in range(0, len(work), step))
    ]
    with Progress("cutting out", len(work), "photo") as progress:
        _bound_cache(cache, _problems(context.engine.map(cut_out, tasks), progress))


def _problems(reports: Iterable[Report], progress: Progress) -> list[str]:
    """Wait for all reports, and return the problems of the cache."""
    problems = []
    for report in reports:
        progress.update(report.made)
        if report.problem:
            problems.append(report.problem)
    return problems


def _bound_cache(folder: Path | None, problems: Sequence[str]) -> None:
    """Bound the size of the cache of results, and report the first of its problems."""
    if folder is None:
        return
    cache = ResultCache(folder)
    cache.trim(cache_size())
    found = next(filter(None, [*problems, cache.problem]), None)
    if found:
        log.warning("the cache of cut-outs and backgrounds is not used in full: %s", found)


def _read_use(folder: BuildFolder, concept: Concept, found: _ToCut, planned: PlannedCutouts | None) -> CutoutUse:
    """Read the marker of a cut-out; whether it is used is decided later."""
    photo, mask = found.given, found.cut.outline if found.cut else None
    use = CutoutUse(
        id=photo.id,
        sha256=photo.sha256,
        concept=concept.name,
        token=concept.token,
        class_noun=concept.class_noun,
        height_cm=concept.height_cm,
        height_guessed=concept.height_guessed,
        attribution=photo.attribution,
        key=found.key,
        reason=photo.flaw,
        masked=mask is not None,
        mask=mask.sha256 if mask else None,
        beside=photo.mask.sha256 if photo.mask else None,
        choice=photo.choice,
    )
    use = with_review(folder, use, photo.reviews)
    if not found.key:
        return use
    if found.cut is None and planned and (before := planned.uses.get(photo.id)):  # its mask is not there any more
        use = replace(use, masked=before.masked, mask=before.mask)
    marker = cutout_marker(folder, found.key)
    return replace(
        use,
        quality=marker.quality,
        thin=marker.thin,
        cut_off=bool(marker.cut_off),
        lost=marker.lost,
        reason=marker.reason,
    )


def paint_all(context: BuildContext, plan: Plan) -> None:
    """Paint every background of the plan that is not a photo."""
    cache = cache_folder()
    tasks = [PaintTask(folder=context.folder.path, background=each, cache=cache) for each in plan.painted()]
    if tasks:
        with Progress("painting", len(tasks), "background") as progress:
            _bound_cache(cache, _problems(context.engine.map(paint, tasks), progress))


@one_thread()
def cut_out(task: CutoutTask) -> Report:
    """Cut out the photos whose cut-outs are neither in the build folder nor in the cache yet."""
    folder = BuildFolder(task.folder)
    cache = ResultCache(task.cache) if task.cache else None
    settings = settings_key(task.config, task.runtime)
    missing = []
    for photo, key in zip(task.photos, task.keys, strict=True):
        if is_cut_out(folder, key):
            continue
        known = cache.get(prepared_key(key, settings), PREPARED) if cache else None
        if known:
            write_prepared(known, partial(folder.cutout_file, key))
        else:
            missing.append((photo, key))
    if missing:
        _segment_photos(folder, missing, task, cache)
    return Report(made=len(task.photos), problem=cache.problem if cache else None)


def _segment_photos(
    folder: BuildFolder, missing: Sequence[tuple[PhotoFile, str]], task: CutoutTask, cache: ResultCache | None
) -> None:
    config, settings = task.config, settings_key(task.config, task.runtime)

    def find(pixels: Sequence[Rgb]) -> list[Matte]:
        return with_backend(
            "segment",
            SEGMENTERS[config.backend_name("segment")],
            config.backend_table("segment"),
            task.runtime,
            lambda backend: list(backend.matte(pixels)),
        )

    photos = [replace(read_photo(photo, PHOTO_SIDE), cutout_side=cutout_side(config)) for photo, _ in missing]
    results = segment(photos, CachedSegmenter(find, cache, settings), config.segment, config.seed)
    for photo, (_, key), result in zip(photos, missing, results, strict=True):
        prepared = prepared_cutout(photo, result)
        write_prepared(prepared, partial(folder.cutout_file, key))
        if cache:
            cache.put(prepared_key(key, settings), PREPARED, prepared)


@one_thread()
def paint(task: PaintTask) -> Report:
    """Paint one background and write it, unless it is in the build folder or in the cache already."""
    folder, name = BuildFolder(task.folder), _painted_name(task.background)
    cache = ResultCache(task.cache) if task.cache else None
    if not is_painted(folder, name):
        key = prepared_key(name)
        painted = cache.get(key, PREPARED) if cache else None
        if painted is None:
            painted = prepared_painting(paint_scene(task.background))
            if cache:
                cache.put(key, PREPARED, painted)
        write_prepared(painted, partial(folder.painted_file, name))
    return Report(made=1, problem=cache.problem if cache else None)


def read_background(folder: BuildFolder, background: BackgroundRef) -> Background:
    """Read a background that `paint` made.

    Raises:
        StoreError: its files are missing or damaged.
    """
    return read_painted(folder, _painted_name(background))


def _painted_name(background: BackgroundRef) -> str:
    return f"{background.scene}-{background.variant}"
