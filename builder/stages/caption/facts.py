"""Facts about a whole scene: every relation that holds between its groups of objects, by kind."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, combinations, pairwise, product
from typing import TypeAlias

from builder.stages.caption.relations import SceneObject, between, in_front_of, left_of, next_to

Group: TypeAlias = tuple[SceneObject, ...]
"""Objects of one class, left to right; a caption counts them together."""
Side: TypeAlias = tuple[int, ...]
"""Indices of the groups on one side of a relation."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Fact:
    """One true statement: its subject, a relation ("to the left of"), and its target if the relation has one."""

    subject: tuple[Group, ...]
    relation: str
    target: tuple[Group, ...] = ()

    @property
    def groups(self) -> tuple[Group, ...]:
        """All groups that the statement names."""
        return self.subject + self.target


def grouped(objects: Sequence[SceneObject]) -> tuple[Group, ...]:
    """Group objects by class, the leftmost group first; `objects` are ordered left to right."""
    nouns = dict.fromkeys(item.noun for item in objects)
    return tuple(tuple(item for item in objects if item.noun == noun) for noun in nouns)


def facts(groups: Sequence[Group]) -> Mapping[str, list[Fact]]:
    """Every fact about some of the groups, by kind; kinds without a fact are left out."""
    everything = tuple(chain.from_iterable(groups))
    numbers = range(len(groups))
    sides = [side for size in range(1, len(groups)) for side in combinations(numbers, size)]
    apart = [(one, other) for one, other in product(sides, sides) if not set(one) & set(other)]

    def named(pairs: Iterable[tuple[Side, Side]]) -> list[tuple[tuple[Group, ...], tuple[Group, ...]]]:
        return [(tuple(groups[i] for i in one), tuple(groups[i] for i in other)) for one, other in pairs]

    def all_hold(
        relation: Callable[[SceneObject, SceneObject], bool],
    ) -> list[tuple[tuple[Group, ...], tuple[Group, ...]]]:
        held = {
            (i, j): i != j and all(relation(*pair) for pair in product(groups[i], groups[j]))
            for i, j in product(numbers, numbers)
        }
        return named((one, other) for one, other in apart if all(held[pair] for pair in product(one, other)))

    left = all_hold(left_of)
    front = all_hold(in_front_of)
    single = named((one, other) for one, other in apart if len(one) == len(other) == 1)
    beside = [(one, other) for one, other in single if _neighbours(one, other, everything)]
    found = {
        "left": [Fact(subject=one, relation="to the left of", target=other) for one, other in left],
        "right": [Fact(subject=other, relation="to the right of", target=one) for one, other in left],
        "front": [Fact(subject=one, relation="in front of", target=other) for one, other in front],
        "behind": [Fact(subject=other, relation="behind", target=one) for one, other in front],
        "beside": [
            Fact(subject=one, relation=how, target=other) for one, other in beside for how in ("next to", "beside")
        ],
        "between": list(_between(groups)),
        "within": list(_within(groups, everything)),
    }
    return {kind: facts for kind, facts in found.items() if facts}


def in_a_row(groups: Sequence[Group]) -> bool:
    """Whether there are two or more groups, each entirely to the left of the next."""
    return len(groups) > 1 and all(left_of(*pair) for one, other in pairwise(groups) for pair in product(one, other))


def _neighbours(one: Sequence[Group], other: Sequence[Group], everything: Sequence[SceneObject]) -> bool:
    """Whether each side is a single object and the two are next to each other."""
    if len(one[0]) > 1 or len(other[0]) > 1:
        return False
    return next_to(one[0][0], other[0][0], everything)


def _between(groups: Sequence[Group]) -> Iterator[Fact]:
    """Facts of a group between two others, or between the two objects of another class."""
    for middle in groups:
        others = [group for group in groups if group != middle]
        for left, right in product(others, others):
            if left != right and all(between(*three) for three in product(left, middle, right)):
                yield Fact(subject=(middle,), relation="between", target=(left, right))
        for pair in others:
            if len(pair) == 2 and all(between(pair[0], item, pair[1]) for item in middle):
                yield Fact(subject=(middle,), relation="between", target=(pair,))


def _within(groups: Sequence[Group], everything: Sequence[SceneObject]) -> Iterator[Fact]:
    """Facts of how the objects of one class are placed relative to each other."""
    for group in groups:
        if len(group) > 1 and all(next_to(one, other, everything) for one, other in pairwise(group)):
            yield Fact(subject=(group,), relation="side by side")
        if len(group) == 2 and (in_front_of(*group) or in_front_of(*reversed(group))):
            yield Fact(subject=(group,), relation="one in front of the other")
