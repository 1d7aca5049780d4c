"""The thresholds of a report: a histogram of each score, and the bound that can be moved over it."""

from __future__ import annotations

import json
import shlex
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from builder.pipeline.histogram import histogram
from builder.stages.select import OF_DRAWING, SelectConfig
from dataset_card import Histogram
from mycanvas.schema import SCORE_FIELDS, SCORES, ScoreField

STEPS = 10
"""Steps of a bound in one bin."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Threshold:
    """A score with its bound.

    key: of [select]: "min_visible". bound: its current value; None: none. profile: its value in the profile.
    step: by which it moves.
    histogram: of all candidates' scores; its loose end lets every score pass. missing: the number of candidates without
    this score.
    """

    score: str
    key: str
    bound: float | None
    profile: float | None
    step: float
    histogram: Histogram
    missing: int

    @property
    def field(self) -> ScoreField:
        """The range and the meaning of the score."""
        return SCORE_FIELDS[self.score]

    @property
    def is_minimum(self) -> bool:
        """Whether lower scores are dropped."""
        return self.key.startswith("min_")

    @property
    def option(self) -> str:
        """The option of `mycanvas select`."""
        return option(self.key)

    def as_json(self) -> dict[str, Any]:
        """The facts that page.js reads. least, most: the range of the score, null where it has no upper limit."""
        return {
            "score": self.score,
            "key": self.key,
            "option": self.option,
            "bound": self.bound,
            "profile": self.profile,
            "step": self.step,
            "edges": self.histogram.edges,
            "least": self.field.low,
            "most": self.field.high,
        }


def thresholds(rows: Sequence[Mapping[str, Any]], select: SelectConfig, profile: SelectConfig) -> Iterator[Threshold]:
    """The scores that were measured, in the order of the schema.

    Args:
        rows: of the report; `scores` has the values in the order of SCORES.
        select: the current thresholds.
        profile: the thresholds with which `mycanvas select --reset` starts.
    """
    for index, score in enumerate(SCORES):
        values = [value for row in rows if (value := row["scores"][index]) is not None]
        if not values:
            continue
        key = f"{'min' if SCORE_FIELDS[score].better == 'high' else 'max'}_{score}"
        bound = getattr(select, key)
        found = _with_loose_end(histogram(values, () if bound is None else (bound,)), SCORE_FIELDS[score])
        yield Threshold(
            score=score,
            key=key,
            bound=bound,
            profile=getattr(profile, key),
            step=(found.edges[1] - found.edges[0]) / STEPS,
            histogram=found,
            missing=len(rows) - len(values),
        )


def _with_loose_end(found: Histogram, field: ScoreField) -> Histogram:
    """Add an empty bin beyond the scores and their bound where the score's range has room: there, no bound is set."""
    edges, width = found.edges, found.edges[1] - found.edges[0]
    if field.better == "high":
        edge = round(edges[0] - width, 9)
        if edge < field.low:
            return found
        return replace(found, edges=(edge, *edges), counts=(0, *found.counts))
    edge = round(edges[-1] + width, 9)
    if field.high is not None and edge > field.high:
        return found
    return replace(found, edges=(*edges, edge), counts=(*found.counts, 0))


def option(key: str) -> str:
    """The option of `mycanvas select` for a key of [select]."""
    return f"--{key.replace('_', '-')}"


def command(folder: Path, select: SelectConfig, profile: SelectConfig, movable: Collection[str]) -> str:
    """The command that selects, with the options of the settings that the page cannot change.

    It starts from the profile, so that the same line selects the same scenes whatever was selected before.

    Args:
        folder: as it is typed.
        select: the current thresholds.
        profile: as for `thresholds`.
        movable: the keys of [select] whose options the page adds.
    """
    words = ["mycanvas", "select", str(folder), "--reset"]
    for key, value in select.model_dump(mode="json").items():
        if key not in {*movable, *OF_DRAWING} and value != profile.model_dump(mode="json")[key]:
            words += [option(key), "none" if value is None else json.dumps(value)]
    return shlex.join(words)
