"""Fit one acceptance score on the automatic scores of scenes that people ranked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mycanvas.errors import InputError
from mycanvas.io.messages import counted
from mycanvas.ratings.logistic import Floats, fit_logistic
from mycanvas.ratings.precision import MIN_GROUPS, BoundFit, fit_bound
from mycanvas.schema import SCORE_FIELDS

MIN_SCENES = 100
FOLDS = MIN_GROUPS
"""Parts of the ranked scenes, by composition; each is scored by a fit on the other four."""
MIN_PER_CLASS = 10
"""Accepted, and refused, scenes: with fewer, the bound would depend on one or two of them."""
DIGITS = 6
"""Significant digits of stored numbers."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RankedScene:
    """A scene with its automatic scores (None: not measured) and whether people accept it."""

    composition: str
    scores: Mapping[str, float | None]
    accepted: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class AcceptanceFit:
    """A fitted acceptance score: 1 / (1 + exp(-(intercept + sum of weight * (score - mean)))).

    weights, means: by the name of the score. left_out: why other scores have no weight. bound: see `BoundFit`, which
    is of scenes that the fit had not seen.
    """

    intercept: float
    weights: Mapping[str, float]
    means: Mapping[str, float]
    left_out: Mapping[str, str]
    bound: float
    bound_fit: BoundFit
    scenes: int
    accepted: int
    compositions: int

    def config(self) -> dict[str, Any]:
        """The values of [select.fitted]."""
        return {
            "bound": self.bound,
            "intercept": self.intercept,
            "weights": dict(self.weights),
            "means": dict(self.means),
        }

    def lines(self) -> list[str]:
        """The fit for a terminal."""
        reasons = dict.fromkeys(self.left_out.values())
        left_out = {why: [name for name, each in self.left_out.items() if each == why] for why in reasons}
        return [
            f"acceptance, fitted to {counted(self.scenes, 'ranked scene')} of "
            f"{counted(self.compositions, 'composition')}, {self.accepted} of them accepted:",
            *self.bound_fit.lines("acceptance"),
            *(f"without weight, {why}: {', '.join(names)}" for why, names in left_out.items()),
            "in build.toml:",
            *(f"  {line}" for line in self.toml_lines()),
        ]

    def toml_lines(self) -> list[str]:
        """The table [select.fitted] of build.toml."""
        tables = {"weights": self.weights, "means": self.means}
        return [
            "[select.fitted]",
            f"bound = {self.bound!r}",
            f"intercept = {self.intercept!r}",
            *(
                f"{name} = {{ {', '.join(f'{score} = {value!r}' for score, value in values.items())} }}"
                for name, values in tables.items()
            ),
        ]

    def as_json(self) -> dict[str, Any]:
        """Every number, as JSON types."""
        counts = {"scenes": self.scenes, "accepted": self.accepted, "compositions": self.compositions}
        return {**self.config(), "left_out": dict(self.left_out), **counts, "bound_fit": self.bound_fit.as_json()}


def fit_acceptance(scenes: Sequence[RankedScene], precision: float, seed: int = 0) -> AcceptanceFit:
    """Fit the score, and choose the lowest bound with a precision on scenes that the fit has not seen.

    Each weight has the sign of its score's known direction. Scores that are the same in every scene, or that were not
    measured, are left out; a single missing value counts as the mean.

    Args:
        scenes: all ranked ones.
        precision: fraction of scenes at or above the bound that people accept, above 0 to 1.
        seed: of the folds and of the bootstrap.

    Raises:
        InputError: there are too few scenes, compositions, or accepted or refused scenes; the AUC's interval includes
            0.5; or no bound has the precision.
    """
    accepted = np.array([scene.accepted for scene in scenes], dtype=np.bool_)
    groups = [scene.composition for scene in scenes]
    _check(accepted, groups)
    names, values, left_out = _columns(scenes)
    if not names:
        raise InputError("every automatic score is the same in all ranked scenes; there is nothing to fit")
    means, deviations = np.nanmean(values, axis=0), np.nanstd(values, axis=0)
    columns = np.nan_to_num((values - means) / deviations)
    signs = [1 if SCORE_FIELDS[name].better == "high" else -1 for name in names]
    bound_fit = fit_bound(_out_of_fold(columns, accepted, groups, signs, seed), accepted, groups, precision, seed)
    bound = bound_fit.require_bound("acceptance")
    fitted = fit_logistic(columns, accepted, signs)
    weights = dict(zip(names, map(_rounded, fitted.coefficients / deviations), strict=True))
    return AcceptanceFit(
        intercept=_rounded(fitted.intercept),
        weights={name: weight for name, weight in weights.items() if weight},
        means={name: _rounded(mean) for name, mean in zip(names, means, strict=True) if weights[name]},
        left_out={**left_out, **{name: "no effect in its known direction" for name in names if not weights[name]}},
        bound=bound,
        bound_fit=bound_fit,
        scenes=len(scenes),
        accepted=int(accepted.sum()),
        compositions=len(set(groups)),
    )


def _check(accepted: NDArray[np.bool_], groups: Sequence[str]) -> None:
    if len(accepted) < MIN_SCENES:
        raise InputError(
            f"{counted(len(accepted), 'ranked scene')}; expected at least {MIN_SCENES}: rank more with mycanvas "
            "review. Nothing was changed"
        )
    good = int(accepted.sum())
    if min(good, len(accepted) - good) < MIN_PER_CLASS:
        raise InputError(
            f"of {len(accepted)} ranked scenes {good} are accepted; expected at least {MIN_PER_CLASS} accepted and "
            f"{MIN_PER_CLASS} refused ones: rank more, or change --min-rank. Nothing was changed"
        )
    if len(set(groups)) < FOLDS:
        raise InputError(
            f"the ranked scenes are of {counted(len(set(groups)), 'composition')}; expected at least {FOLDS}, since "
            "the fit is tested on compositions that it has not seen. Nothing was changed"
        )


def _columns(scenes: Sequence[RankedScene]) -> tuple[list[str], Floats, dict[str, str]]:
    """The scores that differ between scenes, their values [N, K] with NaN for None, and why others are left out."""
    names, columns, left_out = [], [], {}
    for name in SCORE_FIELDS:
        values = np.array([np.nan if (value := scene.scores.get(name)) is None else value for scene in scenes])
        known = values[~np.isnan(values)]
        if not len(known):
            left_out[name] = "not measured"
        elif np.ptp(known) <= 1e-6 * max(1.0, float(np.abs(known).max())):
            left_out[name] = "the same in every scene"
        else:
            names.append(name)
            columns.append(values)
    return names, np.column_stack(columns) if columns else np.empty((len(scenes), 0)), left_out


def _out_of_fold(
    columns: Floats, accepted: NDArray[np.bool_], groups: Sequence[str], signs: Sequence[int], seed: int
) -> Floats:
    """The acceptance of each scene by a fit on scenes of other compositions, [N]."""
    fold = folds(groups, seed)
    scores = np.empty(len(accepted))
    for index in range(FOLDS):
        own = fold == index
        if len(np.unique(accepted[~own])) < 2:
            raise InputError(
                "all accepted, or all refused, scenes are of a few compositions; rank scenes of others too. "
                "Nothing was changed"
            )
        scores[own] = fit_logistic(columns[~own], accepted[~own], signs).probability(columns[own])
    return scores


def folds(groups: Sequence[str], seed: int) -> NDArray[np.int64]:
    """The fold of each scene, 0 to FOLDS - 1: scenes of a group together, folds of similar sizes."""
    names, group, sizes = np.unique(np.asarray(groups, dtype=np.str_), return_inverse=True, return_counts=True)
    shuffled = np.random.default_rng(seed).permutation(len(names))
    total, fold = np.zeros(FOLDS), np.zeros(len(names), np.int64)
    for index in shuffled[np.argsort(-sizes[shuffled], kind="stable")]:
        fold[index] = total.argmin()
        total[fold[index]] += sizes[index]
    return fold[group]


def _rounded(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")
