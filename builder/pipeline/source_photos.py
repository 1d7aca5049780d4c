"""The sources of a build: the result of each photo, and the backgrounds."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from builder.records import BackgroundRef, Concept
from builder.stages.segment.base import SegmentConfig
from mycanvas.io.tables import table_lines

log = logging.getLogger("mycanvas")


@dataclass(frozen=True, kw_only=True, slots=True)
class CutoutReport:
    """The result of cutting out one photo: the quality of the cut-out, or the reason why there is none."""

    photo_id: str
    key: str
    quality: float | None
    reason: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class CutoutUse:
    """The cut-out of one source photo, and whether scenes may use it.

    id: the photo's. concept, token, class_noun, height_cm: of the concept that it shows.
    key: of the cut-out's files in the build folder. quality: None where there is no cut-out; `reason` then says why.
    used: scenes may show it.
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


@dataclass(frozen=True, kw_only=True, slots=True)
class BackgroundUse:
    """A background that scenes may use. photo_id: None where it is painted."""

    scene: str
    phrase: str
    photo_id: str | None
    attribution: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Sources:
    """The sources of a build. unreadable: why a photo could not be read, by its id."""

    photos: tuple[CutoutUse, ...]
    backgrounds: tuple[BackgroundUse, ...]
    unreadable: Mapping[str, str]

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Sources:
        """Read back what `dataclasses.asdict` gave."""
        return cls(
            photos=tuple(CutoutUse(**photo) for photo in values["photos"]),
            backgrounds=tuple(BackgroundUse(**background) for background in values["backgrounds"]),
            unreadable=values["unreadable"],
        )


def use_of(background: BackgroundRef) -> BackgroundUse:
    """The record of a background for the card."""
    photo = background.photo
    return BackgroundUse(
        scene=background.scene,
        phrase=background.phrase,
        photo_id=photo.id if photo else None,
        attribution=photo.attribution if photo else None,
    )


def judge_photos(
    concepts: Sequence[Concept], reports: Mapping[str, CutoutReport], config: SegmentConfig
) -> tuple[CutoutUse, ...]:
    """Decide which cut-outs scenes may show; warn of every concept without one."""
    return tuple(use for concept in concepts for use in _judge(concept, reports, config))


def _judge(concept: Concept, reports: Mapping[str, CutoutReport], config: SegmentConfig) -> Iterator[CutoutUse]:
    qualities = {p.id: q for p in concept.photos if (q := reports[p.id].quality) is not None}
    trusted = {name for name, quality in qualities.items() if quality >= config.min_quality}
    if not trusted and qualities:
        best = max(qualities, key=lambda name: (qualities[name], name))
        if config.keep_best:
            trusted = {best}
        else:
            log.warning(
                "concept %s is left out: its best cut-out, of %s, has quality %s, below segment.min_quality %g; "
                "--keep-best uses it all the same",
                *(concept.name, best, shown(qualities[best]), config.min_quality),
            )
    elif not qualities:
        log.warning("concept %s is left out: no object was found in any of its photos", concept.name)
    for photo in concept.photos:
        report = reports[photo.id]
        yield CutoutUse(
            id=photo.id,
            concept=concept.name,
            token=concept.token,
            class_noun=concept.class_noun,
            height_cm=concept.height_cm,
            attribution=photo.attribution,
            key=report.key,
            quality=report.quality,
            reason=report.reason,
            used=photo.id in trusted,
        )


def shown(quality: float) -> str:
    """Format a quality, rounded down, so that a value below a limit never looks equal to it."""
    return f"{math.floor(quality * 1000) / 1000:.3f}"


def _quality_or_reason(photo: CutoutUse) -> str:
    return f"({photo.reason})" if photo.quality is None else shown(photo.quality)


def summary_lines(photos: Sequence[CutoutUse]) -> list[str]:
    """The number of photos used of each concept and in all, with the quality of the others, or why they have none."""
    names = sorted({photo.concept for photo in photos})
    rows = []
    for name in names:
        own = [photo for photo in photos if photo.concept == name]
        left = [f"{photo.id.split('/')[-1]} {_quality_or_reason(photo)}" for photo in own if not photo.used]
        used = f"{len(own) - len(left)} of {len(own)} photos used"
        rows.append((name, used + (f"; not {', '.join(left)}" if left else "")))
    return [*table_lines(rows, align="left"), f"{sum(photo.used for photo in photos)} of {len(photos)} photos used"]
