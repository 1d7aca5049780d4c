"""Ratings -> the tables of `mycanvas ratings`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict

from mycanvas.io.messages import counted
from mycanvas.io.tables import Table
from mycanvas.ratings.agreement import agreement, correlations
from mycanvas.ratings.comparison import ArmComparison, WinRate, compare_arms
from mycanvas.ratings.entries import PairChoice, Preference, Rating
from mycanvas.ratings.tables import preference_cells, preference_table, quality_cells, quality_table
from mycanvas.schema import SCORE_FIELDS

NOTHING = "-"
"""A cell where there is too little to compute."""


def quality_report(ratings: Sequence[Rating], splits: Mapping[str, str]) -> Table:
    """Tabulate people's ranks of a dataset's scenes; the arguments are as for `quality_table`."""
    rows = quality_table(ratings, splits)
    raters = len({rating.rater for rating in ratings})
    return Table(
        key="quality",
        title=f"Quality of scenes, 1 to 5: the rounded mean of {_count(len(ratings), 'rating', raters)}",
        cells=quality_cells(rows),
        values={
            "raters": raters,
            "ratings": len(ratings),
            "splits": {row.split: {"counts": row.counts, "percent": row.shares, "total": row.total} for row in rows},
        },
    )


def agreement_report(ratings: Sequence[Rating], scores: Mapping[str, Mapping[str, float | None]]) -> Table:
    """Tabulate how well automatic scores agree with people, and people with each other.

    Args:
        ratings: of scenes.
        scores: of scenes, by id.
    """
    among, found = agreement(ratings), correlations(ratings, scores)
    measured = [each for each in found if each.scenes]
    ranked_twice = "as no scene was ranked by two people"
    if among.scenes:
        raters = counted(among.raters, "person")
        ranked_twice = f"of {counted(among.scenes, 'scene')} that at least two of {raters} ranked"
    rows = [
        [each.score, SCORE_FIELDS[each.score].better, _number(each.rho, "+.2f"), f"{each.scenes}"] for each in measured
    ]
    return Table(
        key="agreement",
        title=f"Agreement of raters: Krippendorff's alpha (ordinal) {_number(among.alpha, '.2f')}, {ranked_twice}",
        cells=[["score", "better", "Spearman with mean rank", "scenes"], *rows],
        values={
            **asdict(among),
            "scores": {each.score: {"spearman": each.rho, "scenes": each.scenes} for each in measured},
        },
    )


def preference_report(preferences: Sequence[Preference]) -> Table:
    """Tabulate people's preferences among the arms of a study."""
    cells = preference_table(preferences)
    raters = len({preference.rater for preference in preferences})
    return Table(
        key="preference",
        title=f"Preference, 1 to 10: mean (± sample sd) of {_count(len(preferences), 'score', raters)}",
        cells=preference_cells(cells),
        values={"raters": raters, "scores": len(preferences), "cells": [asdict(cell) for cell in cells]},
    )


def comparison_report(preferences: Sequence[Preference], choices: Sequence[PairChoice]) -> Table | None:
    """Tabulate comparisons of every two arms of a study; None if no two arms can be compared."""
    compared = compare_arms(preferences, choices)
    if not compared:
        return None
    rows = []
    for pair in dict.fromkeys(each.arms for each in compared):
        rows += [[pair[0], *[""] * 6], [f"over {pair[1]}", *[""] * 6]]
        rows += [_comparison_row(each) for each in compared if each.arms == pair]
    return Table(
        key="comparison",
        title="Pairs of arms: how often the first is preferred (comparisons), ties count half",
        cells=[["pair", "by scores", "by choices", "difference", "prompts", "p", "Holm"], *rows],
        notes=(
            "p: Wilcoxon signed-rank test, two-sided, of the mean differences per prompt",
            "Holm: p corrected for the number of questions about a pair",
        ),
        values={"comparisons": [asdict(each) for each in compared]},
    )


def _comparison_row(each: ArmComparison) -> list[str]:
    return [
        f"  {each.question or 'score'}",
        _rate(each.by_scores),
        _rate(each.by_choices),
        _number(each.difference, "+.2f"),
        f"{each.prompts}",
        _number(each.p, ".2g"),
        _number(each.holm, ".2g"),
    ]


def _rate(found: WinRate) -> str:
    return NOTHING if found.rate is None else f"{found.rate:.0%} ({found.comparisons})"


def _number(value: float | None, form: str) -> str:
    return NOTHING if value is None else format(value, form)


def _count(number: int, noun: str, raters: int) -> str:
    return f"{number} {noun}{'s' * (number > 1)} by {raters} {'people' if raters > 1 else 'person'}"
