"""The results of an evaluation: every score of every picture, and the pictures that could not be read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from mycanvas.boxes import Box


@dataclass(frozen=True, kw_only=True, slots=True)
class SeenBox:
    """A box that counts in a picture.

    detected_class: the class that the detector found.
    box: where it found it, in pixels of the picture.
    confidence: the detector's, 0 to 1.
    most_similar: the concept that the box is most similar to.
    similarity: to that concept, -1 to 1.
    assigned: the concept that the box is assigned to; None: the box is a surplus object.
    assigned_similarity: to that concept, -1 to 1; None for a surplus object.
    """

    detected_class: str
    box: Box
    confidence: float
    most_similar: str
    similarity: float
    assigned: str | None
    assigned_similarity: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class PictureScores:
    """The scores of one picture.

    text: the text that TI-CLIP compared it with.
    scores: by the names of `mycanvas.metrics.registry.SCORES`; None where the picture has no such score.
    boxes: those that count.
    """

    id: str
    split: str
    composition: str
    prompt: str
    text: str
    scores: Mapping[str, float | None]
    boxes: tuple[SeenBox, ...]

    def as_json(self) -> dict[str, Any]:
        """Every number as JSON types, the scores beside the rest."""
        values = asdict(self)
        return {**values, **values.pop("scores")}


@dataclass(frozen=True, kw_only=True, slots=True)
class LeftOut:
    """A picture that cannot be read, and why."""

    id: str
    split: str
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Evaluation:
    """Scores of pictures, in their order, and what was left out of them."""

    pictures: tuple[PictureScores, ...]
    left_out: tuple[LeftOut, ...]
