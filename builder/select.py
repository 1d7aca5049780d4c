"""Candidates -> the kept scenes: thresholds, near-duplicates, quotas. Reads scores, never a picture."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from builder.config import SelectConfig

HIGHER_IS_BETTER = frozenset({"cutout", "visible", "size", "sharpness"})
"""Scores of which more is better; of the others less is."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Judged:
    """A candidate without its pixels."""

    id: str
    composition: str
    num_objects: int
    scores: Mapping[str, float | None]
    fingerprint: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Selection:
    """kept: ids in the order given. dropped: for every other id, what it failed: a bound, "near-duplicate" or "quota"."""

    kept: tuple[str, ...]
    dropped: Mapping[str, str]


def select(candidates: Iterable[Judged], config: SelectConfig) -> Selection:
    """Decide which candidates are kept.

    Within a composition the best come first, by Borda count: each score orders the scenes, and the places are added up,
    so no score outweighs another by its unit. A scene that looks like a better one is dropped, then what is over quota.
    """
    order: list[str] = []
    dropped: dict[str, str] = {}
    groups: defaultdict[str, list[Judged]] = defaultdict(list)
    for candidate in candidates:
        order.append(candidate.id)
        failed = _failed_bound(candidate.scores, config)
        if failed:
            dropped[candidate.id] = failed
        else:
            groups[candidate.composition].append(candidate)
    for group in groups.values():
        dropped |= _thin(_best_first(group), config)
    return Selection(kept=tuple(name for name in order if name not in dropped), dropped=dropped)


def _failed_bound(scores: Mapping[str, float | None], config: SelectConfig) -> str | None:
    for name, (lowest, highest) in config.bounds().items():
        value = scores.get(name)
        if value is None:
            continue
        if lowest is not None and value < lowest:
            return f"{name} < {lowest:g}"
        if highest is not None and value > highest:
            return f"{name} > {highest:g}"
    return None


def _best_first(group: Sequence[Judged]) -> list[Judged]:
    places: defaultdict[str, int] = defaultdict(int)
    for name in sorted({name for candidate in group for name in candidate.scores}):
        scored = [(candidate.scores.get(name), candidate.id) for candidate in group]
        present = [(-value if name in HIGHER_IS_BETTER else value, key) for value, key in scored if value is not None]
        for place, (_, key) in enumerate(sorted(present)):
            places[key] += place
    return sorted(group, key=lambda candidate: (places[candidate.id], candidate.id))


def _thin(group: Sequence[Judged], config: SelectConfig) -> dict[str, str]:
    kept: list[Judged] = []
    dropped: dict[str, str] = {}
    for candidate in group:
        if any((candidate.fingerprint ^ other.fingerprint).bit_count() <= config.duplicate_bits for other in kept):
            dropped[candidate.id] = "near-duplicate"
        elif config.per_composition is not None and len(kept) >= config.per_composition:
            dropped[candidate.id] = "quota"
        else:
            kept.append(candidate)
    return dropped
