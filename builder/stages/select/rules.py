"""The rules of the selection, in their order: people, bounds, attempts, near-duplicates, quotas, the number to keep."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from builder.stages.select.candidates import Candidates, Judged
from builder.stages.select.config import HIGHER_IS_BETTER, SelectConfig
from builder.stages.select.near_duplicates import NearDuplicates

KEPT = -1
"""The rule of a kept candidate."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Selection:
    """The result of a selection.

    ids: of all candidates. rules: for each the number of the rule that dropped it, or KEPT. names: of the rules:
    "rank 2", "flagged: floating", a bound ("size < 0.1", "acceptance < 0.71"), "another attempt is kept",
    "near-duplicate", "quota", "not needed" or `Judged.refused`.
    """

    ids: tuple[str, ...]
    rules: NDArray[np.int16]
    names: tuple[str, ...]

    @property
    def is_kept(self) -> NDArray[np.bool_]:
        """Whether each candidate is kept."""
        kept: NDArray[np.bool_] = self.rules == KEPT
        return kept

    @property
    def kept(self) -> tuple[str, ...]:
        """Ids of the kept candidates, in the order of all."""
        return tuple(self.ids[index] for index in np.flatnonzero(self.is_kept))

    @property
    def dropped(self) -> dict[str, str]:
        """The rule that dropped each other candidate, by its id."""
        return {self.ids[index]: self.names[self.rules[index]] for index in np.flatnonzero(~self.is_kept)}

    def counts(self) -> Counter[str]:
        """The number of candidates that each rule dropped."""
        found, numbers = np.unique(self.rules[~self.is_kept], return_counts=True)
        return Counter({self.names[rule]: int(number) for rule, number in zip(found, numbers, strict=True)})


class _Rules:
    """The rule that dropped each candidate: the first one that did."""

    def __init__(self, count: int) -> None:
        self.rules = np.full(count, KEPT, np.int16)
        self._names: dict[str, int] = {}

    def number(self, name: str) -> int:
        return self._names.setdefault(name, len(self._names))

    def drop(self, who: NDArray[np.bool_], name: str) -> None:
        who = who & (self.rules == KEPT)
        if who.any():
            self.rules[who] = self.number(name)

    def names(self) -> tuple[str, ...]:
        return tuple(self._names)


def select(candidates: Candidates | Iterable[Judged], config: SelectConfig, keep: int | None = None) -> Selection:
    """Decide which candidates to keep.

    People decide first: a rank of at least min_rank keeps a scene whatever its scores and flags, a lower one drops it,
    and so does a flag. Of the others, scenes out of bounds are dropped, and of several attempts at a scene all but the
    first, or the best ranked. Then, in each composition, near-duplicates of a better scene are dropped, and the worst
    scenes over the quota. Better are scenes that people ranked, by rank; then those of an earlier step of the plan, so
    that no scene leaves when the dataset grows; then by Borda count: each score orders the scenes, and the places are
    added, so that the units of scores do not matter. A refused scene leaves by this rule, whatever its rank and scores.
    It is compared as the others, and counts in no quota: so no other scene leaves because of it. At last, the best of
    each composition in turn are kept, up to `keep` in all.

    Args:
        candidates: of a build.
        config: bounds and quotas.
        keep: the maximum number of scenes; None: all.
    """
    columns = candidates if isinstance(candidates, Candidates) else Candidates.of(candidates)
    ranks = columns.ranks if config.min_rank is not None else np.zeros_like(columns.ranks)
    rules = _Rules(len(columns.ids))
    _drop_by_people(rules, columns, ranks, config)
    _drop_out_of_bounds(rules, columns, ranks, config)
    _drop_other_attempts(rules, columns, ranks)
    turns = np.zeros(len(columns.ids), np.int64)
    for group in _groups(columns.compositions, np.flatnonzero(rules.rules == KEPT)):
        ordered = _best_first(group, columns, ranks)
        _drop_duplicates_and_excess(rules, ordered, columns, config)
        counts = np.array([index not in columns.refused for index in ordered.tolist()])
        turns[ordered] = np.cumsum((rules.rules[ordered] == KEPT) & counts)
    for index, rule in columns.refused.items():
        rules.rules[index] = rules.number(rule)
    if keep is not None:
        left = np.flatnonzero(rules.rules == KEPT)
        first = np.lexsort((columns.compositions[left], turns[left], columns.steps[left], -ranks[left]))
        rules.rules[left[first[keep:]]] = rules.number("not needed")
    return Selection(ids=tuple(columns.ids), rules=rules.rules, names=rules.names())


def failed_scene_bound(scores: Mapping[str, float | None], config: SelectConfig) -> str | None:
    """The first bound for which a scene is drawn again, such as "size < 0.1"; None if it meets all that it can.

    The bound on its cut-outs does not count, as it would show them again.

    Args:
        scores: of the scene; one that is missing meets all bounds.
        config: the bounds.
    """
    columns = Candidates.of([Judged(id="", composition="", scores=scores, fingerprint=0)])
    rules = _Rules(1)
    _drop_out_of_bounds(rules, columns, columns.ranks, config.model_copy(update={"min_cutout": None}))
    return next(iter(rules.names()), None)


def idle_bounds(candidates: Candidates | Iterable[Judged], config: SelectConfig) -> list[str]:
    """List the bounded or weighted scores that no candidate has: the score backend does not measure them."""
    columns = candidates if isinstance(candidates, Candidates) else Candidates.of(candidates)
    bounded = set(config.bounds()) | set(config.fitted.weights if config.fitted else ())
    return sorted(bounded - {name for name, values in columns.scores.items() if not np.isnan(values).all()})


def _drop_by_people(rules: _Rules, columns: Candidates, ranks: NDArray[np.int8], config: SelectConfig) -> None:
    for rank in range(1, config.min_rank or 0):
        rules.drop(ranks == rank, f"rank {rank}")
    for index, reason in columns.flags.items():
        if ranks[index] == 0:
            rules.rules[index] = rules.number(f"flagged: {reason}")


def _drop_out_of_bounds(rules: _Rules, columns: Candidates, ranks: NDArray[np.int8], config: SelectConfig) -> None:
    judged = ranks == 0
    for name, (lowest, highest) in config.bounds().items():
        if name not in columns.scores:
            continue
        values = columns.scores[name]  # a comparison with NaN is false
        if lowest is not None:
            rules.drop(judged & (values < lowest), f"{name} < {lowest:g}")
        if highest is not None:
            rules.drop(judged & (values > highest), f"{name} > {highest:g}")
    if config.fitted:
        acceptance = config.fitted.acceptance(columns.scores, len(columns.ids))
        rules.drop(judged & (acceptance < config.fitted.bound), f"acceptance < {config.fitted.bound:g}")


def _drop_other_attempts(rules: _Rules, columns: Candidates, ranks: NDArray[np.int8]) -> None:
    """Drop all attempts at a scene but the best ranked or, of those, the first."""
    left = np.flatnonzero(rules.rules == KEPT)
    ordered = left[np.lexsort((left, -ranks[left], columns.scenes[left]))]
    others = ordered[1:][columns.scenes[ordered[1:]] == columns.scenes[ordered[:-1]]]
    if len(others):
        rules.rules[others] = rules.number("another attempt is kept")


def _groups(keys: NDArray[np.int64], which: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    """Split numbers of candidates by their keys."""
    ordered = which[np.argsort(keys[which], kind="stable")]
    edges = np.flatnonzero(np.diff(keys[ordered])) + 1
    yield from (group for group in np.split(ordered, edges) if len(group))


def _best_first(group: NDArray[np.int64], columns: Candidates, ranks: NDArray[np.int8]) -> NDArray[np.int64]:
    """Order the candidates of a composition. Later steps do not change the order of earlier ones."""
    places = np.zeros(len(group), np.int64)
    steps = columns.steps[group]
    for step in np.unique(steps):
        own = np.flatnonzero(steps == step)
        for name, values in columns.scores.items():
            signed = -values[group[own]] if name in HIGHER_IS_BETTER else values[group[own]]
            measured = ~np.isnan(signed)
            ordered = np.sort(signed[measured])
            places[own[measured]] += np.searchsorted(ordered, signed[measured])  # equal values share a place
    ids = np.array([columns.ids[index] for index in group])
    ordered_group: NDArray[np.int64] = group[np.lexsort((ids, places, steps, -ranks[group]))]
    return ordered_group


def _drop_duplicates_and_excess(
    rules: _Rules, ordered: NDArray[np.int64], columns: Candidates, config: SelectConfig
) -> None:
    """Apply duplicate_bits, per_composition and people's decisions to a composition's candidates, the best first."""
    distinct, kept = NearDuplicates(config.duplicate_bits), 0
    for index, fingerprint in zip(ordered.tolist(), columns.fingerprints[ordered].tolist(), strict=True):
        if distinct.has_near(fingerprint):
            rules.rules[index] = rules.number("near-duplicate")
            continue
        if config.per_composition is not None and kept >= config.per_composition:
            rules.rules[index] = rules.number("quota")
            continue
        distinct.add(fingerprint)
        kept += index not in columns.refused
