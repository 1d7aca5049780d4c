"""Fit the bound on the quality of cut-outs to those that people accepted and refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mycanvas.errors import InputError
from mycanvas.io.messages import counted
from mycanvas.ratings.precision import MIN_GROUPS, BoundFit, fit_bound

MIN_CUTOUTS = 30
MIN_PER_CLASS = 5
"""Of the cut-outs accepted, and refused. With 25 and 5, even an AUC of 0.8 has a standard error of 0.12: its interval
nearly includes chance, so that fewer would almost always be refused."""


@dataclass(frozen=True, kw_only=True, slots=True)
class JudgedCutout:
    """A cut-out with its quality, 0 to 1, and whether a person accepted it as it was cut."""

    concept: str
    quality: float
    accepted: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class GateFit:
    """The lowest quality from which cut-outs are precise enough."""

    bound: float
    bound_fit: BoundFit
    cutouts: int
    accepted: int
    concepts: int

    def lines(self) -> list[str]:
        """The fit for a terminal."""
        return [
            f"quality of {counted(self.cutouts, 'judged cut-out')} of {counted(self.concepts, 'concept')}, "
            f"{self.accepted} of them accepted:",
            *self.bound_fit.lines("quality"),
            f"for a new build of these photos: --min-quality {self.bound:g}",
        ]

    def as_json(self) -> dict[str, Any]:
        """Every number, as JSON types."""
        counts = {"cutouts": self.cutouts, "accepted": self.accepted, "concepts": self.concepts}
        return {"bound": self.bound, **counts, "bound_fit": self.bound_fit.as_json()}


def fit_gate(cutouts: Sequence[JudgedCutout], precision: float, seed: int = 0) -> GateFit:
    """Choose the lowest bound on the quality with a precision, as `fit_acceptance` does on its score.

    Acceptance that is fitted to one column orders cut-outs as the column does. So the bound is on the quality itself,
    which has no part that was fitted and needs no folds.

    Args:
        cutouts: those that people judged; not those with an outline that the user gave.
        precision: fraction of cut-outs at or above the bound that people accept, above 0 to 1.
        seed: of the bootstrap over concepts.

    Raises:
        InputError: there are too few cut-outs, concepts, or accepted or refused cut-outs; the AUC's interval includes
            0.5; or no bound has the precision.
    """
    accepted = np.array([each.accepted for each in cutouts], dtype=np.bool_)
    concepts = [each.concept for each in cutouts]
    good = int(accepted.sum())
    if len(cutouts) < MIN_CUTOUTS or min(good, len(cutouts) - good) < MIN_PER_CLASS:
        raise InputError(
            f"{counted(len(cutouts), 'judged cut-out')}, {good} accepted and {len(cutouts) - good} refused; expected "
            f"at least {MIN_CUTOUTS}, with {MIN_PER_CLASS} of each kind: judge more with mycanvas review. Nothing "
            "was changed"
        )
    if len(set(concepts)) < MIN_GROUPS:
        raise InputError(
            f"the judged cut-outs are of {counted(len(set(concepts)), 'concept')}; expected at least {MIN_GROUPS}, "
            "since cut-outs of one concept resemble each other. Nothing was changed"
        )
    bound_fit = fit_bound(np.array([each.quality for each in cutouts]), accepted, concepts, precision, seed)
    return GateFit(
        bound=bound_fit.require_bound("quality"),
        bound_fit=bound_fit,
        cutouts=len(cutouts),
        accepted=good,
        concepts=len(set(concepts)),
    )
