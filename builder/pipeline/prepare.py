"""What scenes are made from, made once and kept in the build folder: cut-outs of photos, painted backgrounds."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from builder.config import BuildConfig
from builder.pipeline.backends import with_backend
from builder.pipeline.build_folder import BuildFolder
from builder.pipeline.context import BuildContext
from builder.pipeline.source_photos import CutoutReport, PhotoUse, judge_photos
from builder.records import Background, BackgroundRef, Concept, Cutout, PhotoFile, Rejected, Rgb, Rgba, Sample
from builder.sources.photos import read_photo
from builder.stages.backgrounds import paint_scene
from builder.stages.segment import SEGMENTERS, segment
from builder.stages.segment.base import GATE
from mycanvas import __version__
from mycanvas.errors import StoreError
from mycanvas.io.files import read_json, stored, write_bytes, write_json
from mycanvas.io.images import encode_photo, encode_png
from mycanvas.models.runtime import Runtime

PHOTO_SIDE = 2048
"""Longest side in pixels at which a source photo is read, masked and published."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PhotoTask:
    """Photos to cut out together; `keys` name the results by the photo's content and the segmenter's parameters."""

    folder: Path
    photos: tuple[PhotoFile, ...]
    keys: tuple[str, ...]
    config: BuildConfig
    runtime: Runtime


@dataclass(frozen=True, kw_only=True, slots=True)
class PaintTask:
    """One background to paint."""

    folder: Path
    background: BackgroundRef


@contextmanager
def one_thread() -> Iterator[None]:
    """Some of OpenCV's results depend on its number of threads; workers are how work is spread here."""
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(threads)


def cut_out_all(context: BuildContext, concepts: Sequence[Concept]) -> tuple[PhotoUse, ...]:
    """Cut out every photo of every concept, and decide which cut-outs may be used."""
    config = context.config
    photos = [photo for concept in concepts for photo in concept.photos]
    step = SEGMENTERS[config.backend_name("segment")].batch_size(config.backend_table("segment"))
    tasks = [
        PhotoTask(
            folder=context.folder.path,
            photos=tuple(batch),
            keys=tuple(_cutout_key(photo, context) for photo in batch),
            config=config,
            runtime=context.runtime,
        )
        for batch in (photos[start : start + step] for start in range(0, len(photos), step))
    ]
    reports: dict[str, CutoutReport] = {}
    with tqdm(total=len(photos), desc="cutting out", unit="photo") as bar:
        for batch in context.engine.map(cut_out, tasks):
            reports |= {report.photo_id: report for report in batch}
            bar.update(len(batch))
    return judge_photos(concepts, reports, config.segment)


def _cutout_key(photo: PhotoFile, context: BuildContext) -> str:
    """The cut-out's name: changes with the photo's content and everything that its pixels depend on."""
    config = context.config
    gate = {f"segment.{name}" for name in GATE}
    parameters = {name: value for name, value in config.identity().items() if name.startswith("segment.")}
    parameters = {name: value for name, value in parameters.items() if name not in gate}
    networks = config.backend("segment").required_models(config.backend_table("segment"))
    revisions = {model.name: context.runtime.revisions[model.name] for model in networks}
    parts = [__version__, photo.sha256, PHOTO_SIDE, config.resolution, {**parameters, **revisions}]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]


def paint_all(context: BuildContext, samples: Sequence[Sample]) -> None:
    """Paint every background of the plan that is not a photo."""
    # One picture may go by several phrases.
    painted = {replace(sample.background, phrase="") for sample in samples if sample.background.photo is None}
    ordered = sorted(painted, key=lambda background: (background.scene, background.variant))
    tasks = [PaintTask(folder=context.folder.path, background=background) for background in ordered]
    if tasks:
        list(tqdm(context.engine.map(paint, tasks), total=len(tasks), desc="painting", unit="background"))


@one_thread()
def cut_out(task: PhotoTask) -> tuple[CutoutReport, ...]:
    """Segment photos and keep the cut-outs, unless an earlier run did."""
    folder = BuildFolder(task.folder)
    missing = [(photo, key) for photo, key in zip(task.photos, task.keys, strict=True) if not _whole(folder, key)]
    if missing:
        _segment_photos(folder, missing, task)
    return tuple(_report(folder, photo, key) for photo, key in zip(task.photos, task.keys, strict=True))


def _report(folder: BuildFolder, photo: PhotoFile, key: str) -> CutoutReport:
    found = read_json(folder.cutout_file(key, "json"))
    return CutoutReport(photo_id=photo.id, key=key, quality=found["quality"], reason=found["reason"])


def _whole(folder: BuildFolder, key: str) -> bool:
    """Whether an earlier run left this cut-out with all of its files."""
    found = stored(folder.cutout_file(key, "json"))
    if found is None:
        return False
    kinds = ["photo.jpg"] if found["quality"] is None else ["photo.jpg", "mask.png", "cutout.npy"]
    return all(folder.cutout_file(key, kind).is_file() for kind in kinds)


def _segment_photos(folder: BuildFolder, missing: Sequence[tuple[PhotoFile, str]], task: PhotoTask) -> None:
    config = task.config
    photos = [replace(read_photo(photo, PHOTO_SIDE), cutout_side=config.resolution) for photo, _ in missing]
    results = with_backend(
        "segment",
        SEGMENTERS[config.backend_name("segment")],
        config.backend_table("segment"),
        task.runtime,
        lambda backend: list(segment(photos, backend, config.segment, config.seed)),
    )
    for photo, (_, key), result in zip(photos, missing, results, strict=True):
        write_bytes(folder.cutout_file(key, "photo.jpg"), encode_photo(photo.pixels, photo.alpha))
        write_json(folder.cutout_file(key, "json"), _kept(folder, key, result))


def _kept(folder: BuildFolder, key: str, result: Cutout | Rejected) -> dict[str, float | bool | str | None]:
    """Keep a cut-out's pixels; what its marker says."""
    if isinstance(result, Rejected):
        return {"quality": None, "reason": result.reason}
    if result.mask is not None:
        write_bytes(folder.cutout_file(key, "mask.png"), encode_png(result.mask.astype(np.uint8) * 255))
    write_bytes(folder.cutout_file(key, "cutout.npy"), _npy(result.rgba))
    return {"quality": result.quality, "cut_off": result.cut_off, "reason": None}


def read_cutout(folder: BuildFolder, key: str, photo_id: str) -> Cutout:
    """A cut-out that `cut_out` made. Its pixels stay on the disk until they are looked at, and workers share them.

    Raises:
        StoreError: its files are damaged.
    """
    marker = read_json(folder.cutout_file(key, "json"))
    path = folder.cutout_file(key, "cutout.npy")
    try:
        rgba: Rgba = np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))
    except (OSError, ValueError, EOFError):
        raise _damaged(path) from None
    return Cutout(photo_id=photo_id, rgba=rgba, quality=marker["quality"], cut_off=marker["cut_off"])


@one_thread()
def paint(task: PaintTask) -> None:
    """Paint one background and keep the picture, unless an earlier run did."""
    folder, name = BuildFolder(task.folder), _name(task.background)
    if stored(folder.painted_file(name, "json")) and folder.painted_file(name, "png").is_file():
        return
    painted = paint_scene(task.background)
    write_bytes(folder.painted_file(name, "png"), encode_png(painted.pixels))
    write_json(folder.painted_file(name, "json"), {"horizon": painted.horizon, "ground": painted.ground})


def read_painted(folder: BuildFolder, background: BackgroundRef) -> Background:
    """A background that `paint` made.

    Raises:
        StoreError: its files are damaged.
    """
    name = _name(background)
    path = folder.painted_file(name, "png")
    pixels: Rgb | None = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if pixels is None:
        raise _damaged(path)
    return Background(pixels=cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB), **read_json(folder.painted_file(name, "json")))


def _name(background: BackgroundRef) -> str:
    return f"{background.scene}-{background.variant}"


def _npy(rgba: Rgba) -> bytes:
    """NumPy's file format: twice as large as a PNG, which takes as long to read as a scene takes to make."""
    buffer = io.BytesIO()
    np.save(buffer, rgba)
    return buffer.getvalue()


def _damaged(path: Path) -> StoreError:
    return StoreError(f"{path} is damaged or missing; delete the .json beside it and run the same command again")
