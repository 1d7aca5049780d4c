"""The settings of the selection: bounds on scores, quotas, and how often a scene is drawn."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BeforeValidator, Field, model_validator

from mycanvas.io.config_table import Fraction, Table
from mycanvas.schema import SCORE_FIELDS

HIGHER_IS_BETTER = frozenset(name for name, score in SCORE_FIELDS.items() if score.better == "high")
"""Scores of which more is better; of the others less is."""

Cosine = Annotated[float, Field(ge=-1, le=1)]


def _bound(side: Literal["Minimum", "Maximum"], name: str, default: float | None = None) -> Any:
    """The field of a bound on a score; its meaning is made of the score's."""
    score = SCORE_FIELDS[name]
    meaning = f"{side} {name} score of a kept scene: {score.meaning} ({score.range}, {score.better} is better)."
    return Field(default, description=meaning)


def _none_if_empty(value: object) -> object:
    """TOML has no null."""
    return None if value == "" else value


class FittedScore(Table):
    """[select.fitted]: one acceptance score, fitted to people's ranks.

    acceptance = 1 / (1 + exp(-(intercept + sum of weight * (score - mean)))); a score that a scene lacks counts as its
    mean. weights, means: by the name of the score, with the same names. bound: minimum acceptance of a kept scene.
    """

    bound: Fraction
    intercept: float
    weights: dict[str, float]
    means: dict[str, float]

    @model_validator(mode="after")
    def _check_names(self) -> FittedScore:
        unknown = sorted({*self.weights, *self.means} - SCORE_FIELDS.keys())
        if unknown:
            raise ValueError(f"unknown score {unknown[0]!r}; the scores are {', '.join(SCORE_FIELDS)}")
        if self.weights.keys() != self.means.keys():
            raise ValueError("weights and means must have the same scores")
        return self

    def acceptance(self, scores: Mapping[str, NDArray[np.float64]], count: int) -> NDArray[np.float64]:
        """The probability, 0 to 1, that people accept each of some scenes.

        Args:
            scores: [count] by name; NaN where a scene lacks one.
            count: of the scenes.
        """
        total = np.full(count, self.intercept)
        for name in sorted(self.weights.keys() & scores.keys()):
            total += np.nan_to_num(self.weights[name] * (scores[name] - self.means[name]))
        acceptance: NDArray[np.float64] = 0.5 + 0.5 * np.tanh(total / 2)
        return acceptance


OF_DRAWING = frozenset({"attempts"})
"""Keys of [select] that count when scenes are drawn; another selection does not change them."""


class SelectConfig(Table):
    """[select]: thresholds and quotas; they can change without another build.

    min_*, max_*: bounds on the score of that name, which `mycanvas.schema.SCORE_FIELDS` describes.
    """

    min_cutout: Fraction | None = _bound("Minimum", "cutout")
    min_visible: Fraction | None = _bound("Minimum", "visible", 0.6)
    max_overlap: Fraction | None = _bound("Maximum", "overlap", 0.3)
    min_size: Fraction | None = _bound("Minimum", "size")
    max_border: Fraction | None = _bound("Maximum", "border", 0.2)
    min_sharpness: Fraction | None = _bound("Minimum", "sharpness")
    max_seam: Fraction | None = _bound("Maximum", "seam")
    max_exposure: Fraction | None = _bound("Maximum", "exposure")
    max_floating: Fraction | None = _bound("Maximum", "floating", 0.03)
    max_proportion: Annotated[float, Field(ge=1)] | None = _bound("Maximum", "proportion", 1.8)
    min_alignment: Cosine | None = _bound("Minimum", "alignment")
    min_identity: Cosine | None = _bound("Minimum", "identity")
    min_found: Fraction | None = _bound("Minimum", "found")
    max_invented: Annotated[float, Field(ge=0)] | None = _bound("Maximum", "invented")
    min_quality: Fraction | None = _bound("Minimum", "quality")
    per_composition: Annotated[int, Field(ge=1)] | None = None
    """Maximum number of scenes kept per composition."""
    duplicate_bits: Annotated[int, Field(ge=-1, le=64)] = 3
    """Maximum difference of two fingerprints, in bits, for duplicates within a composition; -1 keeps duplicates."""
    min_rank: Annotated[Annotated[int, Field(ge=1, le=5)] | None, BeforeValidator(_none_if_empty)] = 4
    """Minimum rank by people of a kept scene; the scores of a ranked scene do not count. "" or none: ranks do not."""
    fitted: FittedScore | None = None
    """An acceptance score of several scores, and its bound, as `mycanvas select DIR --fit-ranks` prints it."""

    attempts: Annotated[int, Field(ge=1, le=9)] = 3
    """Maximum times that a scene is drawn, until it meets all bounds but min_cutout; counts when it is planned."""

    def bounds(self) -> dict[str, tuple[float | None, float | None]]:
        """Map each bounded score to its (lowest, highest) allowed value; None: no bound."""
        given = {
            name: value
            for name, value in self
            if name.startswith(("min_", "max_")) and name[4:] in SCORE_FIELDS and value is not None
        }
        scores = sorted({name[4:] for name in given})
        return {score: (given.get(f"min_{score}"), given.get(f"max_{score}")) for score in scores}
