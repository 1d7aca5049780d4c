"""Simulated raters of scenes: known weights of the scores, and the bound that they imply."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mycanvas.ratings.acceptance import RankedScene

WEIGHTS = {"visible": 6.0, "sharpness": 4.0, "overlap": -6.0, "seam": -3.0, "exposure": 0.0, "size": 0.0}
"""Of scores that are uniform from 0 to 1."""
INTERCEPT = 0.3
SPREAD = 0.3
"""Standard deviation of what raters think of a composition, in logits."""


def rated(seed: int, scenes: int, compositions: int, *, at_random: bool = False) -> list[RankedScene]:
    """Scenes as simulated raters accept them; at random: whatever their scores."""
    draw = np.random.default_rng(seed)
    values = draw.uniform(size=(scenes, len(WEIGHTS)))
    group = draw.integers(compositions, size=scenes)
    liking = draw.normal(0, SPREAD, compositions)[group]
    logits = liking + (INTERCEPT if at_random else _logits(values))
    accepted = draw.uniform(size=scenes) < _probability(logits)
    return [
        RankedScene(
            composition=f"c{name}",
            scores={**dict(zip(WEIGHTS, map(float, row), strict=True)), "cutout": 1.0, "identity": None},
            accepted=bool(given),
        )
        for name, row, given in zip(group, values, accepted, strict=True)
    ]


def known_bound(precision: float) -> float:
    """The lowest bound on the raters' own acceptance with this precision, of very many scenes."""
    draw = np.random.default_rng(99)
    logits = _logits(draw.uniform(size=(200_000, len(WEIGHTS))))
    accepted = _probability(logits + draw.normal(0, SPREAD, len(logits)))
    order = np.argsort(-logits)
    reached = np.flatnonzero(accepted[order].cumsum() >= precision * np.arange(1, len(order) + 1))
    return float(_probability(logits[order][reached[-1]]))


def _logits(values: NDArray[np.float64]) -> NDArray[np.float64]:
    logits: NDArray[np.float64] = INTERCEPT + (values - 0.5) @ np.array(list(WEIGHTS.values()))
    return logits


def _probability(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    return 1 / (1 + np.exp(-logits))
