"""Does a pasted look leak into the model? Seam and exposure of the objects in generated pictures.

The boxes are those that evaluation found. A weight-free segmenter finds the object within each, in source photos and in
scenes as well, so that its errors are the same everywhere: photos show what it measures where nothing was pasted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from builder.records import Rgb
from builder.stages.score.classical import seam_and_exposure
from builder.stages.segment.base import MatteFinder
from builder.stages.segment.tricut import TriCut
from mycanvas.boxes import Box
from mycanvas.dataset import Dataset
from mycanvas.io.images import decode_mask, decode_rgb, quiet_decoding
from mycanvas.io.progress import tracked
from mycanvas.io.tables import table_lines
from mycanvas.metrics.bootstrap import Estimate, estimate
from mycanvas.metrics.report import Run
from mycanvas.metrics.results import PictureScores

MARGIN = 0.25
"""Of a crop around a box, as a fraction of its longer side."""
SMALLEST = 64
"""Pixels of the longer side of a box that is measured: its margin has the width that the seam's measure needs."""
PHOTOS, SCENES = "source photos", "scenes"


@dataclass(frozen=True, kw_only=True, slots=True)
class Look:
    """How objects sit in their pictures: means over objects with intervals over compositions; 0 to 1, low is better.

    None where no object is large enough to be measured.
    """

    name: str
    seam: Estimate | None
    exposure: Estimate | None


@dataclass(frozen=True, slots=True)
class _Source:
    """Boxes of one picture. composition: what its intervals are over."""

    composition: str
    image: bytes | memoryview
    boxes: Sequence[Box]


def measure_looks(dataset: Dataset, run: Run, per_composition: int) -> list[Look]:
    """Measure the photos and scenes of a dataset, and the pictures of each arm of an evaluation.

    Args:
        dataset: that the arms were trained on.
        run: the evaluation.
        per_composition: scenes of each composition to measure.
    """
    compositions = {picture.composition for arm in run.arms for picture in arm.evaluation.pictures}
    sources = {
        PHOTOS: list(_photos(dataset, compositions)),
        SCENES: list(_scenes(dataset, compositions, per_composition)),
        **{arm.name: list(_generated(run, arm.name, arm.evaluation.pictures)) for arm in run.arms},
    }
    return [_look(name, pictures, TriCut()) for name, pictures in sources.items()]


def look_lines(looks: Sequence[Look]) -> list[str]:
    """A table for a terminal."""
    rows = [["pasted look (low is better)", "objects", "seam", "exposure"]]
    for look in looks:
        count = look.seam.count if look.seam else 0
        rows.append([look.name, str(count), _with_interval(look.seam), _with_interval(look.exposure)])
    return table_lines(rows, align="left")


def looks_as_json(looks: Sequence[Look]) -> dict[str, Any]:
    """The same as JSON types, by name."""
    return {
        look.name: {
            name: asdict(one) if one else None for name, one in (("seam", look.seam), ("exposure", look.exposure))
        }
        for look in looks
    }


def _look(name: str, sources: Sequence[_Source], segmenter: MatteFinder) -> Look:
    values: list[tuple[float, float]] = []
    compositions: list[str] = []
    for source in tracked(sources, f"pasted look of {name}", len(sources), "picture"):
        with quiet_decoding():
            image = decode_rgb(source.image)
        for box in source.boxes:
            if (one := _measured(image, box, segmenter)) is not None:
                values.append(one)
                compositions.append(source.composition)
    if not values:
        return Look(name=name, seam=None, exposure=None)
    seams, exposures = zip(*values, strict=True)
    return Look(name=name, seam=estimate(seams, compositions), exposure=estimate(exposures, compositions))


def _measured(image: Rgb, box: Box, segmenter: MatteFinder) -> tuple[float, float] | None:
    """The seam and exposure of the object in a box; None if it is too small, or none is found."""
    x, y, width, height = box
    if max(width, height) < SMALLEST:
        return None
    margin = MARGIN * max(width, height)
    rows = slice(max(0, round(y - margin)), round(y + height + margin))
    columns = slice(max(0, round(x - margin)), round(x + width + margin))
    crop = np.ascontiguousarray(image[rows, columns])
    (matte,) = segmenter.matte([crop])
    shown = matte.alpha >= 0.5
    return None if not shown.any() or shown.all() else seam_and_exposure(crop, shown)


def _photos(dataset: Dataset, compositions: set[str]) -> Iterator[_Source]:
    """The photos of all concepts that were trained; each concept counts as a composition."""
    names = {name for composition in compositions for name in composition.split("+")}
    for concept in dataset.concepts().values():
        for photo in concept.photos if concept.name in names else ():
            if photo.mask:
                rows, columns = np.nonzero(decode_mask(photo.mask))
                box = (columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1)
                yield _Source(concept.name, photo.image, [tuple(map(float, box))])  # type: ignore[list-item]


def _scenes(dataset: Dataset, compositions: set[str], most: int) -> Iterator[_Source]:
    left = dict.fromkeys(compositions, most)
    for scene in dataset.scenes():
        if left.get(scene.composition):
            left[scene.composition] -= 1
            yield _Source(scene.composition, scene.image, scene.boxes)


def _generated(run: Run, arm: str, scored: Sequence[PictureScores]) -> Iterator[_Source]:
    files: Mapping[str, Any] = {picture.id: picture for picture in run.pictures[arm]}
    for picture in scored:
        boxes = [box.box for box in picture.boxes if box.assigned]
        yield _Source(picture.composition, files[picture.id].read(), boxes)


def _with_interval(one: Estimate | None) -> str:
    if one is None:
        return "-"
    low, high = one.compositions or (None, None)
    return f"{one.mean:.3f}" if low is None else f"{one.mean:.3f} [{low:.3f}, {high:.3f}]"
