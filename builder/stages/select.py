"""Select the scenes to keep from people's ranks and the candidates' scores: thresholds, near-duplicates, quotas.

Reads no pictures.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

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

    def acceptance(self, scores: Mapping[str, float | None]) -> float:
        """The probability, 0 to 1, that people accept a scene with these scores."""
        known = ((name, value) for name in self.weights if (value := scores.get(name)) is not None)
        total = self.intercept + sum(self.weights[name] * (value - self.means[name]) for name, value in known)
        return 0.5 + 0.5 * math.tanh(total / 2)


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

    def bounds(self) -> dict[str, tuple[float | None, float | None]]:
        """Map each bounded score to its (lowest, highest) allowed value; None: no bound."""
        given = {
            name: value
            for name, value in self
            if name.startswith(("min_", "max_")) and name[4:] in SCORE_FIELDS and value is not None
        }
        scores = sorted({name[4:] for name in given})
        return {score: (given.get(f"min_{score}"), given.get(f"max_{score}")) for score in scores}


@dataclass(frozen=True, kw_only=True, slots=True)
class Judged:
    """A candidate without its pixels.

    rank: 1 to 5, by people; None: not ranked. flag: the reason for which a person flagged it, if one did.
    refused: the rule by which a person's decision about a cut-out drops it; None: there is none.
    """

    id: str
    composition: str
    scores: Mapping[str, float | None]
    fingerprint: int
    rank: int | None = None
    flag: str | None = None
    refused: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Selection:
    """The result of a selection.

    kept: ids in the order of the candidates. dropped: id -> the rule that dropped it: "rank 2", "flagged: floating", a
    bound ("size < 0.1", "acceptance < 0.71"), "near-duplicate", "quota" or `Judged.refused`.
    """

    kept: tuple[str, ...]
    dropped: Mapping[str, str]


def select(candidates: Iterable[Judged], config: SelectConfig) -> Selection:
    """Decide which candidates to keep.

    People decide first: a rank of at least min_rank keeps a scene whatever its scores and flags, a lower one drops it,
    and so does a flag. Of the others, scenes out of bounds are dropped. Then, in each composition, near-duplicates of a
    better scene are dropped, and the worst scenes over the quota. Better are scenes that people ranked, by rank; then
    by Borda count: each score orders the scenes, and the places are added, so that the units of scores do not matter.
    A refused scene leaves by this rule, whatever its rank and scores. It is compared as the others, and counts in no
    quota: so no other scene leaves because of it.
    """
    order: list[str] = []
    dropped: dict[str, str] = {}
    refused: dict[str, str] = {}
    groups: defaultdict[str, list[Judged]] = defaultdict(list)
    for candidate in candidates:
        order.append(candidate.id)
        if candidate.refused:
            refused[candidate.id] = candidate.refused
        failed = _failed_rule(candidate, config)
        if failed:
            dropped[candidate.id] = failed
        else:
            groups[candidate.composition].append(candidate)
    for group in groups.values():
        dropped |= _drop_duplicates_and_excess(_best_first(group, config), config)
    dropped |= refused
    return Selection(kept=tuple(name for name in order if name not in dropped), dropped=dropped)


def idle_bounds(candidates: Iterable[Judged], config: SelectConfig) -> list[str]:
    """List the bounded or weighted scores that no candidate has: the score backend does not measure them."""
    bounded = set(config.bounds()) | set(config.fitted.weights if config.fitted else ())
    for candidate in candidates:
        bounded -= {name for name, value in candidate.scores.items() if value is not None}
    return sorted(bounded)


def _rank(candidate: Judged, config: SelectConfig) -> int | None:
    """The candidate's rank, if ranks count."""
    return None if config.min_rank is None else candidate.rank


def _failed_rule(candidate: Judged, config: SelectConfig) -> str | None:
    rank = _rank(candidate, config)
    if rank is not None and config.min_rank is not None:
        return f"rank {rank}" if rank < config.min_rank else None
    if candidate.flag:
        return f"flagged: {candidate.flag}"
    return _failed_bound(candidate.scores, config)


def _failed_bound(scores: Mapping[str, float | None], config: SelectConfig) -> str | None:
    for name, (lowest, highest) in config.bounds().items():
        value = scores.get(name)
        if value is None:
            continue
        if lowest is not None and value < lowest:
            return f"{name} < {lowest:g}"
        if highest is not None and value > highest:
            return f"{name} > {highest:g}"
    if config.fitted and config.fitted.acceptance(scores) < config.fitted.bound:
        return f"acceptance < {config.fitted.bound:g}"
    return None


def _best_first(group: Sequence[Judged], config: SelectConfig) -> list[Judged]:
    places: defaultdict[str, int] = defaultdict(int)
    for name in sorted({name for candidate in group for name in candidate.scores}):
        sign = -1 if name in HIGHER_IS_BETTER else 1
        signed = {each.id: sign * value for each in group if (value := each.scores.get(name)) is not None}
        order = sorted(signed.values())
        for key, value in signed.items():
            places[key] += bisect_left(order, value)  # equal values share a place
    return sorted(group, key=lambda each: (-(_rank(each, config) or 0), places[each.id], each.id))


def _drop_duplicates_and_excess(group: Sequence[Judged], config: SelectConfig) -> dict[str, str]:
    """Apply duplicate_bits, per_composition and people's decisions to a composition's candidates, the best first."""
    distinct: list[Judged] = []
    kept = 0
    dropped: dict[str, str] = {}
    for candidate in group:
        if any((candidate.fingerprint ^ other.fingerprint).bit_count() <= config.duplicate_bits for other in distinct):
            dropped[candidate.id] = "near-duplicate"
            continue
        if config.per_composition is not None and kept >= config.per_composition:
            dropped[candidate.id] = "quota"
            continue
        distinct.append(candidate)
        kept += not candidate.refused
    return dropped
