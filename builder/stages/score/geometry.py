"""Scores of the places and sizes of objects, computed from the layout alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import permutations

from builder.records import Layout

EQUALISED = 2.5
"""Ratio of two heights above which a smaller one may be drawn: Gen4Gen draws sizes from 0.4 to 1 (arXiv 2402.15504)."""
MIN_PITCH = 0.02
"""Smallest distance below the horizon, as a fraction of the picture's height, at which a size is compared."""


def floating(layout: Layout) -> Iterator[float]:
    """For each object, how far its foot is above the ground, as a fraction of the picture's height.

    An object that its photo cuts off below belongs on the lower edge of the picture, its foot outside.
    """
    background = layout.setting.background
    for cutout, place in zip(layout.setting.cutouts, layout.placements, strict=True):
        lowest = 1.0 if cutout.cut_off else background.ground
        yield max(0.0, lowest - (place.y + place.height) / background.size.height)


def proportion(layout: Layout) -> float:
    """Largest factor by which the drawn ratio of two objects differs from the ratio of their real heights; 1: none.

    The drawn heights are compared at one distance: on a ground plane they grow with the distance below the horizon. A
    ratio above EQUALISED may be drawn as anything down to EQUALISED. Objects of unknown height are not compared.
    """
    known = [
        (height, drawn)
        for height, drawn in zip(layout.setting.sample.heights, _at_one_distance(layout), strict=True)
        if height is not None
    ]
    return max(
        (_factor(tall / low, large / small) for (tall, large), (low, small) in permutations(known, 2)), default=1
    )


def _at_one_distance(layout: Layout) -> Sequence[float]:
    background = layout.setting.background
    size = background.size.height
    return [
        place.height / max(MIN_PITCH, (place.y + place.height) / size - background.horizon) / size
        for place in layout.placements
    ]


def _factor(real: float, drawn: float) -> float:
    """The factor between a drawn ratio of sizes and the nearest right one; 1 if `real` is below 1."""
    return max(1.0, drawn / real, min(real, EQUALISED) / drawn) if real >= 1 else 1.0
