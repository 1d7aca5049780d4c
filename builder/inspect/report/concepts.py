"""The concepts of a report: their photos' cut-outs on a checkerboard, how good they are, and why some are refused."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from builder.inspect.report.thumbnails import LEVELS, SAMPLE, Level, data_uri, fitting_level
from builder.pipeline.build_folder import BuildFolder
from builder.pipeline.cutout_decisions import waiting
from builder.pipeline.prepared_files import read_cutout, read_encoded
from builder.pipeline.source_photos import CutoutUse, format_quality

MOST = 600
"""Photos in a report, spread over the concepts: of each its best and its worst, and at least two."""
_CHECK, _LIGHT, _DARK = 12, 235, 200


@dataclass(frozen=True, kw_only=True, slots=True)
class ReportCutout:
    """One photo of a concept.

    image: a JPEG of the cut-out, or of the photo where there is none; None: the photo could not be read.
    quality: in digits, or "no cut-out". used: scenes may show it. waits: a person accepted or fixed it since the build
    was planned, so that only another build uses it. why: it is used or not.
    """

    id: str
    image: str | None
    quality: str
    used: bool
    waits: bool
    why: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ReportConcept:
    """One concept.

    height: in words. made, kept: scenes that show it. used, photos: the number of its photos that scenes may show, and
    of all. waiting: of those that only another build uses. cutouts: of its photos, the best first and those that a
    person refused last; of many, some are left out.
    """

    name: str
    token: str
    class_noun: str
    height: str
    made: int
    kept: int
    used: int
    waiting: int
    photos: int
    cutouts: tuple[ReportCutout, ...]

    @property
    def best(self) -> ReportCutout:
        """The cut-out of the highest quality that no person refused, if there is one."""
        return self.cutouts[0]

    @property
    def worst(self) -> ReportCutout | None:
        """The last of them: refused by a person, or of the lowest quality; None where there is one photo only."""
        return self.cutouts[-1] if len(self.cutouts) > 1 else None

    @property
    def refused(self) -> tuple[ReportCutout, ...]:
        """Those that scenes may not show."""
        return tuple(cutout for cutout in self.cutouts if not cutout.used)


def read_concepts(
    folder: BuildFolder, photos: Sequence[CutoutUse], scenes: Sequence[tuple[Sequence[str], bool]], allowed: int
) -> tuple[ReportConcept, ...]:
    """Describe each concept of a build, in alphabetical order.

    Args:
        folder: the build.
        photos: of all concepts.
        scenes: the concepts of each scene that was made, and whether it is kept.
        allowed: bytes for the pictures in the page.

    Raises:
        StoreError: a file of a cut-out is missing or damaged.
    """
    groups: dict[str, list[CutoutUse]] = {}
    for photo in sorted(photos, key=_place):
        groups.setdefault(photo.concept, []).append(photo)
    most = max(2, MOST // max(1, len(groups)))
    shown = {name: _ends(own, most) for name, own in groups.items()}
    readable = [photo for own in shown.values() for photo in own if photo.key]
    pictures = [readable[index] for index in np.linspace(0, len(readable) - 1, min(SAMPLE, len(readable))).astype(int)]
    level, _ = fitting_level(pictures, len(readable), allowed, lambda photo, at: len(_picture(folder, photo, at)))
    level = min(level, LEVELS[6])  # a cut-out is a cell of a table
    made = Counter(name for concepts, _ in scenes for name in concepts)
    kept = Counter(name for concepts, is_kept in scenes if is_kept for name in concepts)
    later = frozenset(waiting(photos))
    return tuple(
        ReportConcept(
            name=name,
            token=next((photo.token for photo in own if photo.token), ""),
            class_noun=next((photo.class_noun for photo in own if photo.class_noun), ""),
            height=_height(own),
            made=made[name],
            kept=kept[name],
            used=sum(photo.used and photo.id not in later for photo in own),
            waiting=sum(photo.id in later for photo in own),
            photos=len(own),
            cutouts=tuple(_cutout(folder, photo, level, waits=photo.id in later) for photo in shown[name]),
        )
        for name, own in groups.items()
    )


def _place(photo: CutoutUse) -> tuple[str, bool, float, str]:
    """For sorting: by concept, the best first, and what a person refused after the others."""
    return photo.concept, photo.review == "refuse", -_quality(photo), photo.id


def _quality(photo: CutoutUse) -> float:
    """For sorting: a photo without a cut-out is the worst, one that could not be read comes after it."""
    return photo.quality if photo.quality is not None else -1.0 if photo.key else -2.0


def _ends(photos: Sequence[CutoutUse], most: int) -> list[CutoutUse]:
    """The first and the last of a list, `most` in all."""
    first, last = most - most // 2, most // 2
    return list(photos) if len(photos) <= most else [*photos[:first], *photos[-last:]]


def _height(photos: Sequence[CutoutUse]) -> str:
    known = next((photo for photo in photos if photo.height_cm is not None), None)
    if known is None:
        return "not known"
    return f"{known.height_cm:g} cm{' (typical)' if known.height_guessed else ''}"


def _cutout(folder: BuildFolder, photo: CutoutUse, level: Level, *, waits: bool) -> ReportCutout:
    return ReportCutout(
        id=photo.id,
        image=_picture(folder, photo, level) if photo.key else None,
        quality="no cut-out" if photo.quality is None else format_quality(photo.quality),
        used=photo.used and not waits,
        waits=waits,
        why=photo.why or photo.reason or "",
    )


def _picture(folder: BuildFolder, photo: CutoutUse, level: Level) -> str:
    """The cut-out on a checkerboard; the photo where there is none."""
    if photo.quality is None:
        with Image.open(io.BytesIO(read_encoded(folder, photo.key)[0])) as image:
            return data_uri(image, level)
    cutout = Image.fromarray(np.array(read_cutout(folder, photo.key, photo.id).rgba))
    cutout.thumbnail((level.side, level.side), Image.Resampling.LANCZOS)
    rows, columns = np.indices((level.side, level.side)) // _CHECK
    ground = Image.fromarray(np.where((rows + columns) % 2, _DARK, _LIGHT).astype(np.uint8)).convert("RGB")
    ground.paste(cutout, ((level.side - cutout.width) // 2, (level.side - cutout.height) // 2), cutout)
    return data_uri(ground, level)
