"""Agreement of people with each other, and of automatic scores with people."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import fmean

import numpy as np

from mycanvas.ratings.entries import RANKS, Rating
from mycanvas.schema import SCORE_FIELDS

MIN_SCENES = 3
"""Scenes from which a correlation is computed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Agreement:
    """Krippendorff's alpha at ordinal level: 1 perfect, 0 as by chance; None if it is not defined.

    scenes: ranked by at least two people, which alpha is computed from.
    """

    alpha: float | None
    raters: int
    scenes: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Correlation:
    """Spearman's correlation of one automatic score with the mean rank of scenes, -1 to 1; None if not defined."""

    score: str
    rho: float | None
    scenes: int


def agreement(ratings: Iterable[Rating]) -> Agreement:
    """Krippendorff's alpha of ranks (Krippendorff 2011, Computing Krippendorff's Alpha-Reliability)."""
    import krippendorff

    given = _by_scene(ratings)
    shared = {item: ranks for item, ranks in given.items() if len(ranks) > 1}
    raters = sorted({rater for ranks in shared.values() for rater in ranks})
    table = np.array([[ranks.get(rater, np.nan) for ranks in shared.values()] for rater in raters])
    alpha = None
    if len({rank for ranks in shared.values() for rank in ranks.values()}) > 1:
        alpha = float(krippendorff.alpha(table, value_domain=list(RANKS), level_of_measurement="ordinal"))
    return Agreement(alpha=alpha, raters=len(raters), scenes=len(shared))


def correlations(
    ratings: Iterable[Rating], scores: Mapping[str, Mapping[str, float | None]]
) -> tuple[Correlation, ...]:
    """Correlate each automatic score with the mean rank of the scenes that have both.

    Args:
        ratings: of scenes.
        scores: of scenes, by id; those without a rank are left out.
    """
    from scipy.stats import spearmanr

    means = {item: fmean(ranks.values()) for item, ranks in _by_scene(ratings).items()}
    found = []
    for name in SCORE_FIELDS:
        pairs = [
            (value, mean)
            for item, mean in means.items()
            if item in scores and (value := scores[item].get(name)) is not None
        ]
        values = np.array(pairs).reshape(-1, 2)
        is_defined = len(pairs) >= MIN_SCENES and np.ptp(values, axis=0).all()
        rho = float(spearmanr(values[:, 0], values[:, 1]).statistic) if is_defined else None
        found.append(Correlation(score=name, rho=rho, scenes=len(pairs)))
    return tuple(found)


def _by_scene(ratings: Iterable[Rating]) -> dict[str, dict[str, int]]:
    """The ranks of each scene by rater."""
    found: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for rating in ratings:
        found[rating.item][rating.rater] = rating.score
    return found
