"""Logistic regression whose coefficients keep to known signs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

RIDGE = 1.0
"""Weight of the squared coefficients of standardised columns (not of the intercept): as much as a scene or two."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Logistic:
    """P(accepted) = 1 / (1 + exp(-(intercept + sum of coefficient * column)))."""

    intercept: float
    coefficients: Floats

    def probability(self, columns: Floats) -> Floats:
        """The probability of each row of columns, [N, K] -> [N]."""
        from scipy.special import expit

        return np.asarray(expit(self.intercept + columns @ self.coefficients), np.float64)


def fit_logistic(columns: Floats, accepted: NDArray[np.bool_], signs: Sequence[int]) -> Logistic:
    """Fit by maximum likelihood with a small ridge penalty (L-BFGS-B; Byrd, Lu, Nocedal and Zhu 1995).

    Args:
        columns: [N, K], standardised.
        accepted: [N]; both values must occur.
        signs: of each column: 1 for a coefficient of at least 0, -1 for one of at most 0.
    """
    from scipy.optimize import minimize

    side = np.where(accepted, 1.0, -1.0)
    design = np.column_stack([np.ones(len(columns)), columns])

    def loss(values: Floats) -> tuple[float, Floats]:
        """The penalised negative log-likelihood, and its gradient."""
        margin = -side * (design @ values)
        penalised = np.concatenate([[0.0], values[1:]])
        miss = np.exp(-np.logaddexp(0, -margin))
        value = np.logaddexp(0, margin).sum() + RIDGE * penalised @ penalised / 2
        return float(value), design.T @ (-side * miss) + RIDGE * penalised

    bounds = [(None, None), *((0.0, None) if sign > 0 else (None, 0.0) for sign in signs)]
    found = minimize(loss, np.zeros(design.shape[1]), jac=True, method="L-BFGS-B", bounds=bounds).x
    return Logistic(intercept=float(found[0]), coefficients=np.asarray(found[1:], np.float64))
