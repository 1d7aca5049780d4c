"""Precision and recall of bounds on a score, the lowest bound that is precise enough, and how sure it is.

Intervals are of the percentile bootstrap over groups (compositions, or concepts): pictures of one group resemble each
other, so that groups are drawn, not pictures.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mycanvas.errors import InputError
from mycanvas.io.tables import table_lines

Floats = NDArray[np.float64]

STEPS = 100
"""Bounds are multiples of 1 / STEPS."""
RESAMPLES = 2000
CONFIDENCE = 0.95
MIN_ABOVE = 10
"""A bound has at least this many rated pictures above it: the precision of fewer says little."""
MIN_GROUPS = 5
"""Groups from which an interval is computed."""
SHOWN = 10
"""Bounds of the table for a terminal, beside the chosen one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Point:
    """The pictures at or above a bound. precision: fraction of them that people accept. recall: of all accepted."""

    bound: float
    kept: int
    precision: float
    recall: float


@dataclass(frozen=True, kw_only=True, slots=True)
class BoundFit:
    """How well a score separates what people accept from what they refuse.

    precision: asked for. bound: the lowest with this precision; None if none has it.
    bound_interval: 95 %; an end is None where no bound reached the precision.
    auc: area under the ROC curve: how often an accepted picture scores above a refused one. auc_interval: 95 %.
    points: of every bound that has a picture at or above it, ascending.
    """

    precision: float
    bound: float | None
    bound_interval: tuple[float | None, float | None]
    auc: float
    auc_interval: tuple[float, float]
    points: tuple[Point, ...]

    def require_bound(self, score: str) -> float:
        """Return the bound, if it may be used.

        Args:
            score: the name of the score, for messages.

        Raises:
            InputError: the score does not separate accepted from refused, or no bound has the precision.
        """
        if self.auc_interval[0] <= 0.5:
            raise InputError(
                f"{score} does not predict what people accept: its AUC is {_with_interval(self.auc, self.auc_interval)}"
                ", and that of chance is 0.50; judge more, or check these decisions. Nothing was changed"
            )
        if self.bound is None:
            best = max((point for point in self.points if point.kept >= MIN_ABOVE), key=lambda each: each.precision)
            raise InputError(
                "\n".join(
                    [
                        f"no bound on {score} reaches the precision {self.precision:g}; the best is "
                        f"{best.precision:.2f} at {best.bound:g}. Give a lower --precision. Nothing was changed",
                        *self.lines(score),
                    ]
                )
            )
        return self.bound

    def lines(self, score: str) -> list[str]:
        """The curve and the intervals for a terminal."""
        step = max(1, STEPS // SHOWN)
        shown = [each for each in self.points if round(each.bound * STEPS) % step == 0 or each.bound == self.bound]
        rows = [
            [
                f"{each.bound:.2f}{' <' if each.bound == self.bound else ''}",
                f"{each.kept}",
                f"{each.precision:.2f}",
                f"{each.recall:.2f}",
            ]
            for each in shown
        ]
        lines = [
            *table_lines([[score, "kept", "precision", "recall"], *rows]),
            f"AUC {_with_interval(self.auc, self.auc_interval)}",
        ]
        if self.bound is not None:
            lines.append(
                f"bound {_with_interval(self.bound, self.bound_interval)}: the lowest with precision {self.precision:g}"
            )
        return lines

    def as_json(self) -> dict[str, Any]:
        """Every number, as JSON types."""
        return asdict(self)


def fit_bound(
    scores: Floats, accepted: NDArray[np.bool_], groups: Sequence[str], precision: float, seed: int = 0
) -> BoundFit:
    """Find the lowest bound on a score with a precision, with intervals.

    Args:
        scores: [N], 0 to 1, higher is better; of pictures that had no part in fitting the score.
        accepted: [N]; both values must occur.
        groups: the group of each picture.
        precision: asked for, 0 to 1.
        seed: of the draws.
    """
    names, group = np.unique(np.asarray(groups, dtype=np.str_), return_inverse=True)
    step = np.clip(np.floor(scores * STEPS + 1e-9), 0, STEPS - 1).astype(np.int64)
    at = np.zeros((2, len(names), STEPS))
    np.add.at(at, (accepted.astype(np.int64), group, step), 1)
    drawn = np.random.default_rng(seed).multinomial(len(names), np.full(len(names), 1 / len(names)), size=RESAMPLES)
    refused_above, accepted_above = (_at_or_above(counts.sum(axis=0)) for counts in at)
    bounds = _lowest(*(_at_or_above(drawn @ counts) for counts in at), precision=precision)
    ends = np.quantile(bounds, _tails(), method="inverted_cdf")
    bound = _lowest(refused_above[None], accepted_above[None], precision=precision)[0]
    areas = _areas(scores, accepted, drawn[:, group])
    kept = refused_above + accepted_above
    return BoundFit(
        precision=precision,
        bound=_or_none(bound),
        bound_interval=(_or_none(ends[0]), _or_none(ends[1])),
        auc=float(_areas(scores, accepted, np.ones((1, len(scores))))[0]),
        auc_interval=(float(areas[0]), float(areas[1])) if len(areas := _ends(areas)) else (0.0, 1.0),
        points=tuple(
            Point(
                bound=index / STEPS,
                kept=int(kept[index]),
                precision=float(accepted_above[index] / kept[index]),
                recall=float(accepted_above[index] / accepted_above[0]),
            )
            for index in range(STEPS)
            if kept[index]
        ),
    )


def _at_or_above(counts: Floats) -> Floats:
    """Sum counts from each step to the last, along the last axis."""
    above: Floats = counts[..., ::-1].cumsum(axis=-1)[..., ::-1]
    return above


def _lowest(refused: Floats, accepted: Floats, *, precision: float) -> Floats:
    """The lowest precise bound of each row; infinity if there is none."""
    kept = refused + accepted
    fits = (kept >= MIN_ABOVE) & (accepted >= precision * kept - 1e-9)
    return np.where(fits.any(axis=-1), fits.argmax(axis=-1) / STEPS, np.inf)


def _areas(scores: Floats, accepted: NDArray[np.bool_], weights: NDArray[Any]) -> Floats:
    """The AUC for each row of weights, [B, N]; NaN where all are accepted, or all refused.

    Ties count half (Mann and Whitney 1947).
    """
    _, level = np.unique(scores, return_inverse=True)
    count = int(level.max()) + 1
    found = np.full(len(weights), np.nan)
    for index, row in enumerate(weights):
        good = np.bincount(level, row * accepted, count)
        bad = np.bincount(level, row * ~accepted, count)
        pairs = good.sum() * bad.sum()
        if pairs:
            found[index] = good @ (bad.cumsum() - bad / 2) / pairs
    return found


def _ends(areas: Floats) -> Floats:
    known = areas[~np.isnan(areas)]
    return np.quantile(known, _tails()) if len(known) else known


def _tails() -> tuple[float, float]:
    return (1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2


def _or_none(bound: float) -> float | None:
    return float(bound) if np.isfinite(bound) else None


def _with_interval(value: float, interval: tuple[float | None, float | None]) -> str:
    low, high = ("not reached" if end is None else f"{end:.2f}" for end in interval)
    return f"{value:.2f} (95 % interval {low} to {high})"
