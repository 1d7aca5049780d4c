"""Confidence intervals of means: percentile bootstrap (Efron and Tibshirani 1993, chapter 13)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Interval = tuple[float, float]
"""The lower and the upper end."""

RESAMPLES = 2000
CONFIDENCE = 0.95


@dataclass(frozen=True, kw_only=True, slots=True)
class Estimate:
    """A mean over pictures with its intervals; None where there are fewer than two samples.

    images: the interval if other pictures of the same compositions were generated.
    compositions: the interval if other compositions were chosen. It is the wider one, because pictures of one
        composition resemble each other, and the one to compare methods by.
    """

    mean: float
    count: int
    images: Interval | None
    compositions: Interval | None


def estimate(values: ArrayLike, compositions: Sequence[str], seed: int = 0) -> Estimate:
    """Estimate the mean of a score, with 95 % intervals over pictures and over compositions.

    Args:
        values: [N], one for each picture, in any order.
        compositions: the composition of each picture.
        seed: the seed of the draws.
    """
    scores = np.asarray(values, np.float64)
    sums, counts = _clusters(scores, compositions)
    return Estimate(
        mean=float(scores.mean()),
        count=len(scores),
        images=_interval(np.sort(scores), np.ones(len(scores)), seed),
        compositions=_interval(sums, counts, seed),
    )


def difference(
    values: ArrayLike,
    compositions: Sequence[str],
    base_values: ArrayLike,
    base_compositions: Sequence[str],
    seed: int = 0,
) -> tuple[float, Interval | None]:
    """The difference of two means, with its 95 % interval over compositions.

    Compositions are drawn for both means together, because a composition that is hard for one is hard for the other.
    There is an interval only where both show the same compositions, at least two.
    """
    scores, base = np.asarray(values, np.float64), np.asarray(base_values, np.float64)
    gain = float(scores.mean() - base.mean())
    if set(compositions) != set(base_compositions):
        return gain, None
    (sums, counts), (base_sums, base_counts) = _clusters(scores, compositions), _clusters(base, base_compositions)
    if len(sums) < 2:
        return gain, None
    drawn = _draw(len(sums), seed)
    return gain, _percentiles(_ratio(sums, counts, drawn) - _ratio(base_sums, base_counts, drawn))


def _clusters(values: Floats, compositions: Sequence[str]) -> tuple[Floats, Floats]:
    """Sum and number of the values of each composition, sorted by name."""
    names, which = np.unique(np.asarray(compositions, dtype=np.str_), return_inverse=True)
    sums: Floats = np.bincount(which, values, len(names)).astype(np.float64)
    return sums, np.bincount(which, minlength=len(names)).astype(np.float64)


def _interval(sums: Floats, counts: Floats, seed: int) -> Interval | None:
    if len(sums) < 2:
        return None
    return _percentiles(_ratio(sums, counts, _draw(len(sums), seed)))


def _draw(count: int, seed: int) -> NDArray[np.int64]:
    return np.random.default_rng(seed).integers(count, size=(RESAMPLES, count))


def _ratio(sums: Floats, counts: Floats, drawn: NDArray[np.int64]) -> Floats:
    ratio: Floats = sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
    return ratio


def _percentiles(means: Floats) -> Interval:
    tail = 100 * (1 - CONFIDENCE) / 2
    low, high = np.percentile(means, [tail, 100 - tail])
    return float(low), float(high)
