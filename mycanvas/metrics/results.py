"""What an evaluation finds: every score of every picture, and what could not be read."""

from __future__ import annotations

from dataclasses import dataclass

from mycanvas.boxes import Box


@dataclass(frozen=True, kw_only=True, slots=True)
class SeenBox:
    """A box that counts in a picture.

    found_as: class, box and confidence are the detector's. shows: the concept that it is most like. alike: how much.
    assigned: whose it is taken to be; None: it is one too many. assigned_alike: how much it is like that.
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

    text: what TI-CLIP compared it with. ti_clip: None: the encoder reads no text. agreement: None: nobody says where
    the objects were put.
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
