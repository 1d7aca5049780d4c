"""The results of an evaluation: every score of every picture, and the pictures that could not be read."""

from __future__ import annotations

from dataclasses import dataclass

from mycanvas.boxes import Box


@dataclass(frozen=True, kw_only=True, slots=True)
class SeenBox:
    """A box that counts in a picture.

    found_as: the class that the detector found; box and confidence are the detector's, too.
    shows: the concept that the box is most similar to. alike: that similarity.
    assigned: the concept that the box is assigned to; None: there is one object too many. assigned_alike: the
        similarity to that concept.
    """

    found_as: str
    box: Box
    confidence: float
    shows: str
    alike: float
    assigned: str | None
    assigned_alike: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class PictureScores:
    """The scores of one picture; mycanvas/metrics/scores.py says what each is.

    text: what TI-CLIP compared it with.
    ti_clip: None: the encoder reads no text.
    agreement: None: it is not known where the objects were put.
    """

    id: str
    split: str
    composition: str
    prompt: str
    text: str
    cp_clip: float
    ti_clip: float | None
    identity: float
    recall: float
    duplicates: int
    leaks: int
    agreement: float | None
    boxes: tuple[SeenBox, ...]


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
