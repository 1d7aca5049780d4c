"""Files of ratings -> the two tables of `mycanvas ratings`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from mycanvas.dataset import planned_splits
from mycanvas.io.tables import Table
from mycanvas.ratings.files import read_preferences, read_ratings
from mycanvas.ratings.tables import preference_cells, preference_table, quality_cells, quality_table


def quality_report(file: Path, dataset: Path) -> Table:
    """Tabulate people's ranks of a dataset's scenes.

    Raises:
        InputError: the file or the dataset cannot be read, or the file rates other scenes.
        StoreError: the dataset's build folder is damaged.
    """
    ratings = read_ratings(file)
    rows = quality_table(ratings, planned_splits(dataset))
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


def preference_report(file: Path) -> Table:
    """Tabulate people's preferences among the arms of a study.

    Raises:
        InputError: the file cannot be read.
    """
    preferences = read_preferences(file)
    cells = preference_table(preferences)
    raters = len({preference.rater for preference in preferences})
    return Table(
        key="preference",
        title=f"Preference, 1 to 10: mean (± sample sd) of {_count(len(preferences), 'score', raters)}",
        cells=preference_cells(cells),
        values={"raters": raters, "scores": len(preferences), "cells": [asdict(cell) for cell in cells]},
    )


def _count(number: int, noun: str, raters: int) -> str:
    return f"{number} {noun}{'s' * (number > 1)} by {raters} {'people' if raters > 1 else 'person'}"
