"""Arms of a study compared in pairs: win rates, the paired test and its correction."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from mycanvas.ratings.comparison import compare_arms, holm
from mycanvas.ratings.entries import PairChoice, Preference


def scored(arm: str, scores: Sequence[int], rater: str = "ana", question: str = "q") -> list[Preference]:
    return [
        Preference(rater=rater, item=f"p{n}", score=score, arm=arm, split="objects_4", question=question)
        for n, score in enumerate(scores)
    ]


def chose(chosen: str, other: str, item: str, rater: str = "ana") -> PairChoice:
    return PairChoice(rater=rater, item=item, arms=(other, chosen), chosen=chosen, split="objects_4", question="q")


def test_holm_is_the_hand_computed_example() -> None:
    # 0.005 * 4, 0.01 * 3, 0.03 * 2, and 0.04 * 1, which is raised to the one before
    assert holm([0.01, 0.04, None, 0.03, 0.005]) == pytest.approx((0.03, 0.06, None, 0.06, 0.02))
    assert holm([0.6, 0.7]) == (1.0, 1.0)
    assert holm([]) == ()


def test_scores_are_compared_within_a_rater_and_prompt() -> None:
    given = [
        *scored("ours", [9, 8, 7, 6, 5, 10]),
        *scored("base", [8, 6, 4, 2, 5, 4]),
        *scored("ours", [1], rater="bo"),  # bo did not score the other arm
    ]
    (found,) = compare_arms(given, [])

    assert found.arms == ("ours", "base")
    assert (found.by_scores.rate, found.by_scores.comparisons, found.by_scores.ties) == (5.5 / 6, 6, 1)
    assert (found.prompts, found.difference) == (6, pytest.approx(16 / 6))
    assert found.p is found.holm is None  # five prompts differ; six are needed
    assert found.by_choices.rate is None


def test_signed_rank_test_is_paired_by_prompt_over_the_mean_of_raters() -> None:
    given = [
        *scored("ours", [5, 6, 7, 8, 9, 10]), *scored("base", [4, 4, 4, 4, 4, 4]),
        *scored("ours", [5, 6, 7, 8, 9, 10], rater="bo"), *scored("base", [5, 5, 5, 5, 5, 5], rater="bo"),
        *scored("ours", [5, 6, 7, 8, 9, 10], question="r"), *scored("base", [6, 7, 8, 9, 10, 1], question="r"),
    ]  # fmt: skip
    one, other = compare_arms(given, [])

    assert one.prompts == 6
    assert one.difference == pytest.approx(3)
    assert one.p == pytest.approx(2 / 2**6)  # all six are positive: one of 64 signs, on two sides
    assert one.holm == pytest.approx(2 * 2 / 2**6)
    assert other.question == "r"
    assert other.p is not None
    assert other.p > 0.05


def test_choices_count_for_the_arm_that_was_chosen_on_either_side() -> None:
    choices = [chose("ours", "base", "p0"), chose("base", "ours", "p1"), chose("ours", "base", "p2"),
               chose("ours", "third", "p0")]  # fmt: skip

    found = {each.arms: each.by_choices for each in compare_arms([], choices)}

    assert {pair: (each.rate, each.comparisons) for pair, each in found.items()} == {
        ("base", "ours"): (pytest.approx(1 / 3), 3),
        ("ours", "third"): (1.0, 1),
    }


def test_many_prompts_with_ties_are_compared_without_a_warning() -> None:
    given = [*scored("ours", [5, 6] * 40), *scored("base", [5, 5] * 40)]
    (found,) = compare_arms(given, [])

    assert found.p is not None
    assert found.p < 1e-6


def test_no_scores_and_one_arm_give_no_comparison() -> None:
    assert compare_arms([], []) == ()
    assert compare_arms(scored("ours", [5]), []) == ()
