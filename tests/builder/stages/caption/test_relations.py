"""Spatial relations between two or three objects of a scene, one condition at a time."""

from __future__ import annotations

import pytest

from builder.stages.caption.relations import BASE_STEP, SceneObject, between, in_front_of, next_to


def at(
    centre: float, *, base: float = 0.8, depth: float = 0.25, width: float = 0.2, height: float = 0.2
) -> SceneObject:
    """An object of a scene; all lengths are shares of the picture's side."""
    box = (centre - width / 2, base - height, width, height)
    return SceneObject(token=f"<at{centre}>", noun="cup", box=box, base=base, depth=depth)


FAR = at(0.5, base=0.7, depth=0.4)


@pytest.mark.parametrize(
    ("one", "holds"),
    [
        (at(0.5, base=0.8, depth=0.25), True),
        (at(0.5, base=0.8, depth=0.4), False),  # as far away, though it stands lower
        (at(0.5, base=0.8, depth=0.5), False),
        (at(0.5, base=0.7 + BASE_STEP / 2, depth=0.25), False),  # hardly lower
        (at(0.5, base=0.6, depth=0.25), False),
        (at(0.8, base=0.8, depth=0.25), False),  # not in line
    ],
)
def test_in_front_of_requires_less_depth_a_lower_base_and_a_shared_width(one: SceneObject, holds: bool) -> None:
    assert in_front_of(one, FAR) == holds


@pytest.mark.parametrize(("base", "holds"), [(0.8, True), (0.75, True), (0.7, False), (0.9, False)])
def test_between_requires_a_base_near_those_of_the_other_two(base: float, holds: bool) -> None:
    assert between(at(0.2), at(0.5, base=base), at(0.8)) == holds


def test_between_requires_the_middle_one_beside_both() -> None:
    assert not between(at(0.2), at(0.3), at(0.8))


@pytest.mark.parametrize(
    ("other", "holds"),
    [
        (at(0.75), True),
        (at(0.95), False),  # the gap is too wide
        (at(0.75, base=0.85), True),
        (at(0.75, base=0.9), False),  # it stands much lower
    ],
)
def test_next_to_requires_a_small_gap_and_similar_bases(other: SceneObject, holds: bool) -> None:
    one = at(0.5)

    assert next_to(one, other, [one, other]) == holds


def test_next_to_requires_that_no_other_object_is_between() -> None:
    one, other = at(0.5), at(0.75)

    assert not next_to(one, other, [one, other, at(0.6, width=0.02)])
