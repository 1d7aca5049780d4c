"""Compare the arms of a study in pairs: win rates, and tests paired by prompt."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from statistics import fmean

from mycanvas.ratings.entries import PairChoice, Preference

MIN_DIFFERENT = 6
"""Prompts with different scores that the test requires: with 5, its smallest p is 0.06."""

Pair = tuple[str, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class WinRate:
    """How often the first of two arms is preferred, 0 to 1, ties counted half; None without a comparison."""

    rate: float | None
    comparisons: int
    ties: int


@dataclass(frozen=True, kw_only=True, slots=True)
class ArmComparison:
    """Two arms compared on one question.

    by_scores: within a rater and prompt, the arm with the higher score wins. by_choices: of pairwise choices.
    prompts: with scores of both arms. difference: the mean over them of the first arm's score minus the second's.
    p: of the Wilcoxon signed-rank test of these differences, two-sided; None with too few.
    holm: p corrected for the number of questions that the two arms are compared on (Holm 1979).
    """

    arms: Pair
    question: str
    by_scores: WinRate
    by_choices: WinRate
    prompts: int
    difference: float | None
    p: float | None
    holm: float | None


def compare_arms(preferences: Sequence[Preference], choices: Sequence[PairChoice]) -> tuple[ArmComparison, ...]:
    """Compare every two arms on every question, in the order in which they first occur."""
    arms = dict.fromkeys([*(each.arm for each in preferences), *(arm for each in choices for arm in each.arms)])
    questions = dict.fromkeys([*(each.question for each in preferences), *(each.question for each in choices)])
    compared: list[ArmComparison] = []
    for pair in combinations(arms, 2):
        own = [_compare(pair, question, preferences, choices) for question in questions]
        own = [each for each in own if each.by_scores.comparisons or each.by_choices.comparisons]
        corrected = holm([each.p for each in own])
        compared += [replace(each, holm=p) for each, p in zip(own, corrected, strict=True)]
    return tuple(compared)


def holm(tests: Sequence[float | None]) -> tuple[float | None, ...]:
    """Correct p values for their number by Holm's step-down method; None stays and does not count."""
    order = sorted((p, index) for index, p in enumerate(tests) if p is not None)
    corrected: list[float | None] = [None] * len(tests)
    largest = 0.0
    for done, (p, index) in enumerate(order):
        largest = max(largest, min(1.0, p * (len(order) - done)))
        corrected[index] = largest
    return tuple(corrected)


def _compare(
    arms: Pair, question: str, preferences: Iterable[Preference], choices: Iterable[PairChoice]
) -> ArmComparison:
    """Compare two arms on one question, without the correction for others."""
    differences = _differences(arms, [each for each in preferences if each.question == question])
    means = [fmean(by_rater) for by_rater in differences.values()]
    chosen = [each.chosen for each in choices if each.question == question and set(each.arms) == set(arms)]
    return ArmComparison(
        arms=arms,
        question=question,
        by_scores=_win_rate([each for by_rater in differences.values() for each in by_rater]),
        by_choices=_win_rate([1 if arm == arms[0] else -1 for arm in chosen]),
        prompts=len(means),
        difference=fmean(means) if means else None,
        p=_wilcoxon(means),
        holm=None,
    )


def _differences(arms: Pair, preferences: Iterable[Preference]) -> dict[Pair, list[int]]:
    """The first arm's score minus the second's of each rater that scored both, by split and prompt."""
    scores: defaultdict[tuple[Pair, str], dict[str, int]] = defaultdict(dict)
    for each in preferences:
        scores[(each.split, each.item), each.rater][each.arm] = each.score
    found: defaultdict[Pair, list[int]] = defaultdict(list)
    for (prompt, _), given in scores.items():
        if set(arms) <= given.keys():
            found[prompt].append(given[arms[0]] - given[arms[1]])
    return found


def _win_rate(differences: Sequence[int]) -> WinRate:
    """Above 0: the first arm wins; below 0: the second."""
    ties = differences.count(0)
    wins = sum(each > 0 for each in differences) + ties / 2
    count = len(differences)
    return WinRate(rate=wins / count if count else None, comparisons=count, ties=ties)


def _wilcoxon(differences: Sequence[float]) -> float | None:
    from scipy.stats import wilcoxon

    different = [each for each in differences if each]
    return float(wilcoxon(different).pvalue) if len(different) >= MIN_DIFFERENT else None
