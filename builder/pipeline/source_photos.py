"""Sources of a build: each photo of a concept with its cut-out, and the backgrounds."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from builder.records import BackgroundRef, Choice
from mycanvas.io.messages import counted
from mycanvas.io.tables import table_lines

log = logging.getLogger("mycanvas")

NOTED, MOST_NOTED = 0.02, 2
"""Least loss of quality that is named where a cut-out is refused, and the most that are named."""
USE_ANYWAY = "to use a refused photo, list it as use = [...] in concepts.toml, or put a mask beside it (00.mask.png)"
MANY = 1 / 3
"""Fraction of refused photos from which `network_advice` proposes a saliency network."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CutoutUse:
    """The cut-out of one source photo, and whether the build uses it.

    id, attribution: of the photo. concept, token, class_noun, height_cm, height_guessed: of the concept in the photo.
    key: the name of the cut-out's files in the build folder.
    quality: of the cut-out; None if there is no cut-out, and then `reason` says why. used: scenes may show it.
    thin: fraction of the cut-out in thin parts; None if the user gave its outline. cut_off: the photo's lower edge cuts
    it off. lost: how much lower its quality is for each flaw, by the flaw's name.
    masked: it was cut out by a mask beside it. choice: what concepts.toml decides about it. why: it is used or not.
    gate: the quality from which it is used, unless a mask or concepts.toml decides.
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
    thin: float | None = None
    gate: float = 0.0
    masked: bool = False
    choice: Choice | None = None
    why: str = ""
    cut_off: bool = False
    lost: Mapping[str, float] = field(default_factory=dict)


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
                reason=reason, why=reason,
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


def choose_cutouts(cutouts: Sequence[CutoutUse], gate: float, *, keep_best: bool) -> tuple[CutoutUse, ...]:
    """Decide which cut-outs scenes may show: set `used` and `why`, and warn about every concept that has none.

    A mask beside the photo decides first, then concepts.toml, then the quality.

    Args:
        cutouts: of all photos, compared with their siblings.
        gate: the quality from which cut-outs are used.
        keep_best: use a concept's best cut-out if it has no other.
    """
    judged = [_judge(cutout, gate) for cutout in cutouts]
    by_concept: dict[str, list[CutoutUse]] = {}
    for cutout in judged:
        by_concept.setdefault(cutout.concept, []).append(cutout)
    best = {found.id for own in by_concept.values() if (found := _best_instead(own, gate, keep_best=keep_best))}
    return tuple(
        replace(cutout, used=True, why=f"the best of its concept; {cutout.why}") if cutout.id in best else cutout
        for cutout in judged
    )


def _judge(cutout: CutoutUse, gate: float) -> CutoutUse:
    """Decide about one cut-out."""
    if cutout.quality is None:
        if cutout.choice == "use":
            log.warning("%s cannot be used, as concepts.toml has it: %s", cutout.id, cutout.reason)
        return replace(cutout, used=False, why=cutout.reason or "")
    if cutout.masked:
        return replace(cutout, used=True, why="the mask beside the photo")
    if cutout.choice:
        return replace(cutout, used=cutout.choice == "use", why=f"{cutout.choice} in concepts.toml")
    used, quality = cutout.quality >= gate, format_quality(cutout.quality)
    why = f"quality {quality}, at least {gate:g}" if used else f"quality {quality}, below {gate:g}{_flaws(cutout)}"
    return replace(cutout, gate=gate, used=used, why=why)


def _flaws(cutout: CutoutUse) -> str:
    """The flaws that lowered a quality most, with what they cost, in parentheses; empty if none did."""
    most = sorted(cutout.lost.items(), key=lambda flaw: -flaw[1])[:MOST_NOTED]
    noted = [f"{name} -{loss:.2f}" for name, loss in most if loss >= NOTED]
    return f" ({', '.join(noted)})" if noted else ""


def _best_instead(cutouts: Sequence[CutoutUse], gate: float, *, keep_best: bool) -> CutoutUse | None:
    """The cut-out of a concept to use although it is below the gate; None if there is another one, or none is kept."""
    if any(cutout.used for cutout in cutouts):
        return None
    concept = cutouts[0].concept
    below = [(cutout.quality, cutout) for cutout in cutouts if cutout.quality is not None and not cutout.choice]
    if not below:
        reasons = "; ".join(dict.fromkeys(cutout.why for cutout in cutouts))
        log.warning('concept "%s" is left out: none of its photos gave a cut-out (%s)', concept, reasons)
        return None
    quality, best = max(below, key=lambda found: (found[0], found[1].id))
    if not keep_best:
        log.warning(
            'concept "%s" is left out: its best cut-out, of %s, has quality %s, below segment.min_quality %g; '
            "to use it all the same, build again with --keep-best and another --output",
            *(concept, best.id, format_quality(quality), gate),
        )
        return None
    return best


def network_advice(cutouts: Sequence[CutoutUse]) -> str | None:
    """How to cut out more photos, where a segmenter without a network refused many; None where it did not.

    Args:
        cutouts: the result of `choose_cutouts`.
    """
    left = [cutout for cutout in cutouts if not (cutout.masked or cutout.choice)]
    refused = sum(not cutout.used for cutout in left)
    if not refused or refused < MANY * len(left):
        return None
    return (
        f"{refused} of {counted(len(left), 'photo')} gave no cut-out that can be used; a saliency network finds more "
        "objects in real photos: pip install 'mycanvas[photo]', then build with --profile photo and another --output"
    )


def format_quality(quality: float) -> str:
    """Format a quality with three digits, rounded down: a quality below a limit must not look equal to it."""
    return f"{math.floor(quality * 1000) / 1000:.3f}"


def photos_as_json(photos: Sequence[CutoutUse]) -> list[dict[str, Any]]:
    """The outcome of each photo, as JSON types."""
    return [
        {"id": photo.id, "quality": photo.quality, "used": photo.used, "why": photo.why, "lost": dict(photo.lost)}
        for photo in photos
    ]


def summary_lines(photos: Sequence[CutoutUse]) -> list[str]:
    """Format how many photos of each concept, and of all, are used, and the quality or rejection reason of the others.

    Args:
        photos: the cut-out of each photo.
    """
    rows = []
    for name in sorted({photo.concept for photo in photos}):
        own = [photo for photo in photos if photo.concept == name]
        used, unused = ([photo for photo in own if photo.used is is_used] for is_used in (True, False))
        line = f"{len(used)} of {counted(len(own), 'photo')} used"
        if overruled := [f"{_file_name(photo)} by {photo.why}" for photo in used if photo.masked or photo.choice]:
            line += f", {', '.join(overruled)}"
        if unused:
            line += f"; not {', '.join(f'{_file_name(photo)} {_refusal(photo)}' for photo in unused)}"
        rows.append((name, line))
    total = f"{sum(photo.used for photo in photos)} of {counted(len(photos), 'photo')} used"
    hint = [USE_ANYWAY] if any(photo.gate and not photo.used for photo in photos) else []
    return [*table_lines(rows, align="left"), total, *hint]


def height_lines(photos: Sequence[CutoutUse]) -> list[str]:
    """Format the heights that were guessed, one concept a line, below a blank line and a title; nothing if none was."""
    guessed = {photo.concept: photo for photo in photos if photo.height_guessed}
    if not guessed:
        return []
    rows = [(name, f"{photo.height_cm:g} cm", photo.class_noun) for name, photo in sorted(guessed.items())]
    title = "heights guessed from the class nouns; to set one, write height_cm in concepts.toml:"
    return ["", title, *table_lines(rows, align="left")]


def _file_name(photo: CutoutUse) -> str:
    return photo.id.split("/")[-1]


def _refusal(photo: CutoutUse) -> str:
    """The quality of a cut-out that is not used and its gate, or why there is none."""
    if photo.quality is None or photo.choice:
        return f"({photo.why or photo.reason})"
    return f"{format_quality(photo.quality)} < {photo.gate:g}{_flaws(photo)}"
