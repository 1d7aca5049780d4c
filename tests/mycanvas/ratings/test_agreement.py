"""Agreement of raters, and of automatic scores with them."""

from __future__ import annotations

import pytest

from mycanvas.ratings.agreement import agreement, correlations
from mycanvas.ratings.entries import Rating


def ranks(rows: dict[str, str]) -> list[Rating]:
    return [
        Rating(rater=rater, item=f"s{index}", score=int(score))
        for rater, row in rows.items()
        for index, score in enumerate(row)
        if score != "."
    ]


def test_alpha_is_that_of_krippendorff_s_worked_example() -> None:
    """Computing Krippendorff's Alpha-Reliability (2011), section E: 4 observers, 12 units, missing data."""
    found = agreement(ranks({"A": "123321412...", "B": "1233224125.3", "C": ".3332342251.", "D": "12332441251."}))

    assert found.alpha == pytest.approx(0.815, abs=5e-4)
    assert (found.raters, found.scenes) == (4, 11)  # one rater alone ranked the last


@pytest.mark.parametrize(
    ("rows", "alpha"),
    [
        ({"A": "12345", "B": "12345"}, 1.0),
        ({"A": "12345"}, None),  # one rater
        ({"A": "33", "B": "33"}, None),  # no variation: not defined
        ({"A": "12...", "B": "..345"}, None),  # no scene in common
        ({}, None),
    ],
)
def test_alpha_of_few_ranks(rows: dict[str, str], alpha: float | None) -> None:
    assert agreement(ranks(rows)).alpha == (None if alpha is None else pytest.approx(alpha))


def test_scores_are_correlated_with_the_mean_rank_of_the_scenes_that_have_both() -> None:
    given = ranks({"A": "12345", "B": "1245."})
    scores = {f"s{index}": {"visible": index / 10, "seam": 1 - index / 10, "size": 0.5} for index in range(4)}
    scores["s3"]["visible"] = None  # type: ignore[assignment]

    found = {each.score: each for each in correlations(given, {**scores, "unranked": {"visible": 0.0}})}

    assert (found["visible"].rho, found["visible"].scenes) == (pytest.approx(1), 3)
    assert (found["seam"].rho, found["seam"].scenes) == (pytest.approx(-1), 4)
    assert found["size"].rho is None  # constant
    assert (found["identity"].rho, found["identity"].scenes) == (None, 0)
