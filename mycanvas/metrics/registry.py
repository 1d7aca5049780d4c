"""The scores of a picture. To add one: write its formula in scores.py, and one line in SCORES."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from mycanvas.boxes import Box
from mycanvas.metrics import scores
from mycanvas.metrics.scores import Floats, PickedBoxes
from mycanvas.metrics.settings import Settings
from mycanvas.models.encoders import Embeddings


@dataclass(frozen=True, kw_only=True, slots=True)
class Measurements:
    """Everything measured of one picture that scores are computed from; C concepts, N boxes.

    classes: the class of each concept. found: the boxes that count. labels: the detected class of each box.
    alike: S, float64 [N, C]. pairs: box -> concept, among the boxes `expected`. shown: the concept that each box shows.
    picture, text: embeddings [D] for TI-CLIP; None: the encoder reads no text.
    layout: the layout box of each concept; None: not known.
    """

    classes: Sequence[str]
    found: PickedBoxes
    labels: Sequence[str]
    alike: Floats
    pairs: dict[int, int]
    shown: Sequence[int]
    picture: Embeddings | None
    text: Embeddings | None
    layout: Sequence[Box] | None
    settings: Settings

    @property
    def expected(self) -> tuple[Floats, Sequence[str]]:
        """S and the labels of the boxes `expected`."""
        count = len(self.found.expected)
        return self.alike[:count], self.labels[:count]


@dataclass(frozen=True, kw_only=True, slots=True)
class Score:
    """One score.

    compute: from measurements; None where the picture has no such score. title: in tables.
    better: the direction of better scores, an arrow; empty: it should stay as it is. is_count: a whole number.
    """

    compute: Callable[[Measurements], float | None]
    title: str
    better: str = " ↑"
    is_count: bool = False


def _cp_clip(measured: Measurements) -> float:
    return scores.cp_clip(*measured.expected, measured.classes, measured.settings.same_class)


def _ti_clip(measured: Measurements) -> float | None:
    if measured.picture is None or measured.text is None:
        return None
    return scores.ti_clip(measured.picture, measured.text, measured.settings.negative)


def _identity(measured: Measurements) -> float:
    return scores.identity(measured.expected[0], measured.pairs, len(measured.found.surplus))


def _recall(measured: Measurements) -> float:
    return scores.recall(measured.shown, len(measured.classes))


def _duplicates(measured: Measurements) -> int:
    return scores.duplicates(measured.shown)


def _leaks(measured: Measurements) -> int:
    return scores.leaks(measured.shown, measured.labels, measured.classes)


def _swaps(measured: Measurements) -> int:
    return scores.swaps(measured.shown, measured.pairs)


def _agreement(measured: Measurements) -> float | None:
    if measured.layout is None:
        return None
    return scores.agreement(measured.layout, measured.classes, measured.found.expected)


SCORES: Mapping[str, Score] = {
    "cp_clip": Score(compute=_cp_clip, title="CP-CLIP"),
    "ti_clip": Score(compute=_ti_clip, title="TI-CLIP", better=""),
    "identity": Score(compute=_identity, title="identity"),
    "recall": Score(compute=_recall, title="recall"),
    "duplicates": Score(compute=_duplicates, title="duplicates", better=" ↓", is_count=True),
    "leaks": Score(compute=_leaks, title="leaks", better=" ↓", is_count=True),
    "swaps": Score(compute=_swaps, title="swaps", better=" ↓", is_count=True),
    "agreement": Score(compute=_agreement, title="agreement"),
}
"""In the order of the tables."""
