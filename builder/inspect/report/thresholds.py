"""The thresholds of a report: a histogram of each score, and the bound that can be moved over it."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from builder.pipeline.histogram import histogram
from builder.stages.select import SelectConfig
from dataset_card import Histogram
from mycanvas.schema import SCORE_FIELDS, SCORES

STEPS = 10
"""Steps of a bound in one bin."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Threshold:
    """A score with its bound.

    key: of [select]: "min_visible". bound: its current value; None: none. step: by which it moves.
    histogram: of all candidates' scores. missing: the number of candidates without this score.
    """

    score: str
    key: str
    bound: float | None
    step: float
    histogram: Histogram
    missing: int
    title: str

    @property
    def is_minimum(self) -> bool:
        """Whether lower scores are dropped."""
        return self.key.startswith("min_")

    @property
    def option(self) -> str:
        """The option of `mycanvas select`."""
        return option(self.key)


def thresholds(rows: Sequence[Mapping[str, Any]], select: SelectConfig) -> Iterator[Threshold]:
    """The scores that were measured, in the order of the schema.

    Args:
        rows: of the report; `scores` has the values in the order of SCORES.
        select: the current thresholds.
    """
    for index, score in enumerate(SCORES):
        values = [value for row in rows if (value := row["scores"][index]) is not None]
        if not values:
            continue
        key = f"{'min' if SCORE_FIELDS[score].better == 'high' else 'max'}_{score}"
        bound = getattr(select, key)
        found = histogram(values, () if bound is None else (bound,))
        yield Threshold(
            score=score,
            key=key,
            bound=bound,
            step=(found.edges[1] - found.edges[0]) / STEPS,
            histogram=found,
            missing=len(rows) - len(values),
            title=SCORE_FIELDS[score].meaning,
        )


def option(key: str) -> str:
    """The option of `mycanvas select` for a key of [select]."""
    return f"--{key.replace('_', '-')}"


def command(folder: Path) -> str:
    """The command that selects, without its options."""
    return f"mycanvas select {shlex.quote(str(folder))}"
