"""The bound on the quality of cut-outs, fitted to accepted and refused ones."""

from __future__ import annotations

import numpy as np
import pytest

from mycanvas.errors import InputError
from mycanvas.ratings.gate import JudgedCutout, fit_gate


def judged(seed: int, count: int, concepts: int, *, at_random: bool = False) -> list[JudgedCutout]:
    """Cut-outs that are good with certainty above 0.7, with 60 % between 0.4 and 0.7, and else not."""
    draw = np.random.default_rng(seed)
    quality = draw.uniform(size=count)
    chance = np.select([quality > 0.7, quality > 0.4], [1.0, 0.6], 0.0)
    accepted = draw.uniform(size=count) < (0.5 if at_random else chance)
    return [
        JudgedCutout(concept=f"c{index % concepts}", quality=float(value), accepted=bool(good))
        for index, (value, good) in enumerate(zip(quality, accepted, strict=True))
    ]


def test_interval_contains_the_known_bound() -> None:
    known = 0.6  # a quarter of those above is between 0.6 and 0.7: precision 0.9
    fits = [fit_gate(judged(seed, 150, 15), 0.9) for seed in range(8)]
    ends = [fit.bound_fit.bound_interval for fit in fits]

    assert sum(low is not None and high is not None and low <= known <= high for low, high in ends) >= 7
    assert fits[0].lines()[-1] == f"for a new build of these photos: --min-quality {fits[0].bound:g}"
    kept = [each for each in judged(0, 150, 15) if each.quality >= fits[0].bound]
    assert sum(each.accepted for each in kept) / len(kept) >= 0.9


@pytest.mark.parametrize(
    ("cutouts", "message"),
    [
        (judged(0, 29, 8), "29 judged cut-outs, .* expected at least 30, with 5 of each kind"),
        ([JudgedCutout(concept=f"c{n % 8}", quality=0.5, accepted=n > 3) for n in range(40)], "36 accepted and 4 refu"),
        (judged(0, 60, 4), "of 4 concepts; expected at least 5"),
        (judged(2, 60, 10, at_random=True), "quality does not predict what people accept: its AUC is"),
    ],
)
def test_too_little_or_random_judgements_are_refused(cutouts: list[JudgedCutout], message: str) -> None:
    with pytest.raises(InputError, match=message):
        fit_gate(cutouts, 0.9)
