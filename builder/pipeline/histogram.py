"""Histograms with round edges."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from dataset_card import Histogram

MOST_BINS, MOST_TICKS = 25, 6
_LEADS = (1.0, 2.0, 5.0)


def histogram(values: Sequence[float], marks: Sequence[float] = (), *, whole: bool = False) -> Histogram:
    """Count values in bins with round edges.

    Args:
        values: finite numbers.
        marks: numbers that lie within the edges too, but for rounding errors.
        whole: the values are whole numbers; each bin is centred on one, or on several of equal number.

    Returns:
        A histogram of at least one bin; 0 to 1 where there are neither values nor marks.
    """
    low, high = _range([*values, *marks])
    width = _round_up((high - low) / MOST_BINS)
    if whole:
        width = max(1.0, width)
        low, high = low - 0.5, high + 0.5
        count = math.ceil((high - low) / width - 1e-9)
        edges = [low + index * width for index in range(count + 1)]
    else:
        first, last = math.floor(low / width + 1e-9), math.ceil(high / width - 1e-9)
        edges = [_rounded(index * width, width) for index in range(first, max(last, first + 1) + 1)]
    counts, _ = np.histogram(np.clip(values, edges[0], edges[-1]), bins=edges)
    return Histogram(edges=tuple(edges), counts=tuple(counts.tolist()), ticks=_ticks(edges[0], edges[-1], whole=whole))


def _range(values: Sequence[float]) -> tuple[float, float]:
    """The lowest and the highest value, which differ."""
    low, high = min(values, default=0.0), max(values, default=1.0)
    if high - low > 1e-9 * max(abs(low), abs(high)):
        return low, high
    spread = 0.1 * abs(low) or 0.1
    return low - spread, high + spread


def _ticks(low: float, high: float, *, whole: bool) -> tuple[float, ...]:
    step = _round_up((high - low) / MOST_TICKS)
    step = max(1.0, step) if whole else step
    return tuple(
        _rounded(index * step, step)
        for index in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)
    )


def _round_up(value: float) -> float:
    """The smallest of …, 0.2, 0.5, 1, 2, 5, 10, … that is not below a positive value."""
    power = 10.0 ** math.floor(math.log10(value))
    return next(power * lead for lead in (*_LEADS, 10.0) if power * lead >= value * (1 - 1e-9))


def _rounded(value: float, step: float) -> float:
    """A multiple of a step without the error of its floating-point product."""
    return round(value, max(0, 1 - math.floor(math.log10(step)))) + 0.0
