"""Sources of a build: each photo of a concept with its cut-out, and the backgrounds."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from builder.records import BackgroundRef, Choice, Verdict
from mycanvas.io.messages import counted
from mycanvas.io.tables import table_lines

NOTED, MOST_NOTED = 0.02, 2
"""Least loss of quality that is named where a cut-out is refused, and the most that are named."""
ACCEPTED = "accepted in review"
"""Why a cut-out is used that a person accepted."""
USE_ANYWAY = (
    "to use a refused photo, accept it with `mycanvas review`, list it as use = [...] in concepts.toml, or put a mask "
    "beside it (00.mask.png)"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class CutoutUse:
    """The cut-out of one source photo, and whether scenes may show it.

    id, sha256, attribution: of the photo.
    concept, token, class_noun, height_cm, height_guessed: of the concept in the photo.
    key: the name of the cut-out's files in the build folder.
    quality: of the cut-out; None if there is no cut-out, and then `reason` says why. used: scenes may show it.
    thin: fraction of the cut-out in thin parts; None if the user gave its outline. cut_off: the photo's lower edge cuts
    it off. lost: how much lower its quality is for each flaw, by the flaw's name.
    masked, mask: whether it was cut out by a mask, and the sha256 of that mask; None where it is not known.
    why: it is used or not. gate: the quality from which it is used, if no person decides.
    planned: the plan was drawn with it; None in files of earlier versions, where this is `used`.

    What people decide at present, which may differ from the decisions when the plan was drawn:
    beside: the sha256 of the mask beside the photo. choice: the key of concepts.toml.
    review, reviewed, review_mask: the verdict of a review, its reason, and the sha256 of its mask.
    other_review: where no review counts, the verdict of the newest one about another outline of the photo.
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
    sha256: str = ""
    mask: str | None = None
    planned: bool | None = None
    beside: str | None = None
    review: Verdict | None = None
    reviewed: str = ""
    review_mask: str | None = None
    other_review: Verdict | None = None

    @property
    def in_plan(self) -> bool:
        """Whether the plan was drawn with it."""
        return self.used if self.planned is None else self.planned

    @property
    def replaced(self) -> bool:
        """Whether a person has given another mask since it was cut out."""
        outline = self.review_mask or self.beside
        return outline is not None and outline != self.mask

    @property
    def below_gate(self) -> bool:
        """Whether it is not used because of its quality."""
        decided = self.choice or self.review or self.replaced
        return not self.used and self.quality is not None and self.quality < self.gate and not decided


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
    gate, keep_best: of the last build, as for `cutout_decisions.decide`; None in files of earlier versions.
    """

    photos: tuple[CutoutUse, ...]
    backgrounds: tuple[BackgroundUse, ...]
    unreadable: Mapping[str, str]
    unreadable_backgrounds: Mapping[str, str] = field(default_factory=dict)
    gate: float | None = None
    keep_best: bool | None = None

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


def format_quality(quality: float) -> str:
    """Format a quality with three digits, rounded down: a quality below a limit must not look equal to it."""
    return f"{math.floor(quality * 1000) / 1000:.3f}"


def photos_as_json(photos: Sequence[CutoutUse]) -> list[dict[str, Any]]:
    """The outcome of each photo, as JSON types."""
    return [
        {
            "id": photo.id,
            "quality": photo.quality,
            "used": photo.used,
            "why": photo.why,
            "review": photo.review,
            "lost": dict(photo.lost),
        }
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
        if overruled := [_overruled(photo) for photo in used if photo.masked or photo.choice or photo.review]:
            line += f", {', '.join(overruled)}"
        if unused:
            line += f"; not {', '.join(f'{_file_name(photo)} {_refusal(photo)}' for photo in unused)}"
        rows.append((name, line))
    total = f"{sum(photo.used for photo in photos)} of {counted(len(photos), 'photo')} used"
    hint = [USE_ANYWAY] if any(photo.below_gate for photo in photos) else []
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


def _overruled(photo: CutoutUse) -> str:
    return f"{_file_name(photo)} {photo.why}" if photo.why == ACCEPTED else f"{_file_name(photo)} by {photo.why}"


def _refusal(photo: CutoutUse) -> str:
    """The quality of a cut-out that is not used and its gate, or why there is none."""
    if photo.quality is None or not photo.below_gate:
        return f"({photo.why or photo.reason})"
    return f"{format_quality(photo.quality)} < {photo.gate:g}{flaws(photo)}"


def flaws(cutout: CutoutUse) -> str:
    """The flaws that lowered a quality most, with what they cost, in parentheses; empty if none did."""
    most = sorted(cutout.lost.items(), key=lambda flaw: -flaw[1])[:MOST_NOTED]
    noted = [f"{name} -{loss:.2f}" for name, loss in most if loss >= NOTED]
    return f" ({', '.join(noted)})" if noted else ""
