"""Sources of a build: each photo of a concept with its cut-out, and the backgrounds."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from builder.records import BackgroundRef
from builder.stages.segment.base import SegmentConfig
from mycanvas.io.messages import counted
from mycanvas.io.tables import table_lines

log = logging.getLogger("mycanvas")


@dataclass(frozen=True, kw_only=True, slots=True)
class CutoutUse:
    """The cut-out of one source photo, and whether the build uses it.

    id, attribution: of the photo. concept, token, class_noun, height_cm, height_guessed: of the concept in the photo.
    key: the name of the cut-out's files in the build folder.
    quality: of the cut-out; None if there is no cut-out, and then `reason` says why. used: scenes may show it.
    """

    id: str
    concept: str
    token: str
    class_noun: str
    height_cm: float | None
    attribution: str | None
    key: str
    quality: float | None = None
    reason: str | None = None
    used: bool = False
    height_guessed: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class BackgroundUse:
    """A background that scenes may have. photo_id: None if the program paints it."""

    scene: str
    phrase: str
    photo_id: str | None
    attribution: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Sources:
    """The content of sources.json.

    photos: the cut-out of each photo, in the order of the concepts.
    unreadable: id of a photo, or name of a folder, of concepts -> why it could not be read.
    unreadable_backgrounds: the same for backgrounds.
    """

    photos: tuple[CutoutUse, ...]
    backgrounds: tuple[BackgroundUse, ...]
    unreadable: Mapping[str, str]
    unreadable_backgrounds: Mapping[str, str] = field(default_factory=dict)

    def every_photo(self) -> tuple[CutoutUse, ...]:
        """The photos of all concepts, with those that could not be read."""
        return self.photos + tuple(
            CutoutUse(
                id=name, concept=name.split("/")[0], token="", class_noun="", height_cm=None, attribution=None, key="",
                reason=reason,
            )
            for name, reason in self.unreadable.items()
            if "/" in name
        )  # fmt: skip


def background_use(background: BackgroundRef) -> BackgroundUse:
    """Convert a background to its entry in sources.json."""
    photo = background.photo
    return BackgroundUse(
        scene=background.scene,
        phrase=background.phrase,
        photo_id=photo.id if photo else None,
        attribution=photo.attribution if photo else None,
    )


def choose_cutouts(cutouts: Sequence[CutoutUse], config: SegmentConfig) -> tuple[CutoutUse, ...]:
    """Decide which cut-outs scenes may show: set `used`, and warn about every concept that has none.

    Args:
        cutouts: of all photos.
        config: its `min_quality` and `keep_best` decide.
    """
    by_concept: dict[str, list[CutoutUse]] = {}
    for cutout in cutouts:
        by_concept.setdefault(cutout.concept, []).append(cutout)
    used = {photo_id for concept, own in by_concept.items() for photo_id in _used(concept, own, config)}
    return tuple(replace(cutout, used=cutout.id in used) for cutout in cutouts)


def _used(concept: str, cutouts: Sequence[CutoutUse], config: SegmentConfig) -> set[str]:
    """Ids of the photos of one concept whose cut-outs scenes may show."""
    qualities = {cutout.id: cutout.quality for cutout in cutouts if cutout.quality is not None}
    if not qualities:
        reasons = "; ".join(dict.fromkeys(cutout.reason for cutout in cutouts if cutout.reason))
        log.warning("concept %s is left out: none of its photos gave a cut-out (%s)", concept, reasons)
        return set()
    used = {photo_id for photo_id, quality in qualities.items() if quality >= config.min_quality}
    if used:
        return used
    best = max(qualities, key=lambda photo_id: (qualities[photo_id], photo_id))
    if config.keep_best:
        return {best}
    log.warning(
        "concept %s is left out: its best cut-out, of %s, has quality %s, below segment.min_quality %g; "
        "to use it all the same, build again with --keep-best and another --output",
        *(concept, best, format_quality(qualities[best]), config.min_quality),
    )
    return set()


def format_quality(quality: float) -> str:
    """Format a quality with three digits, rounded down: a quality below a limit must not look equal to it."""
    return f"{math.floor(quality * 1000) / 1000:.3f}"


def summary_lines(photos: Sequence[CutoutUse]) -> list[str]:
    """Format how many photos of each concept, and of all, are used, and the quality or rejection reason of the others.

    Args:
        photos: the cut-out of each photo.
    """
    rows = []
    for name in sorted({photo.concept for photo in photos}):
        own = [photo for photo in photos if photo.concept == name]
        unused = [
            f"{photo.id.split('/')[-1]} "
            + (f"({photo.reason})" if photo.quality is None else format_quality(photo.quality))
            for photo in own
            if not photo.used
        ]
        used = f"{len(own) - len(unused)} of {counted(len(own), 'photo')} used"
        rows.append((name, used + (f"; not {', '.join(unused)}" if unused else "")))
    used = f"{sum(photo.used for photo in photos)} of {counted(len(photos), 'photo')} used"
    return [*table_lines(rows, align="left"), used]


def height_lines(photos: Sequence[CutoutUse]) -> list[str]:
    """Format the heights that were guessed, one concept a line, below a blank line and a title; nothing if none was."""
    guessed = {photo.concept: photo for photo in photos if photo.height_guessed}
    if not guessed:
        return []
    rows = [(name, f"{photo.height_cm:g} cm", photo.class_noun) for name, photo in sorted(guessed.items())]
    title = "heights guessed from the class nouns; to set one, write height_cm in concepts.toml:"
    return ["", title, *table_lines(rows, align="left")]
