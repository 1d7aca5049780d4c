"""What may truly be said of where two things are in a picture.

Every relation errs towards silence: it holds only where nobody who looks would object.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from builder.records import Box, Scene

BESIDE_OVERLAP = 0.25
"""Side by side: at most this share of the narrower thing's width is shared with the other."""
FRONT_OVERLAP = 0.3
"""In front: at least this share of the narrower thing's width is shared with the other."""
BASE_STEP = 0.03
"""In front: standing lower by at least this share of the picture."""
NEXT_GAP = 0.6
"""Next to: the gap is at most this share of the wider thing's width."""
NEXT_STEP = 0.3
"""Next to: one stands lower by at most this share of the smaller thing's height."""

BETWEEN_STEP = 0.08
"""Between: standing at most this share of the picture above or below the range of the other two."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Thing:
    """One object of a scene, as the relations see it.

    token, noun: its concept's. box: its visible extent. base: the row on which it stands. Both are in shares of the
    picture's side. depth: as placed, 0 at the viewer.
    """

    token: str
    noun: str
    box: Box
    base: float
    depth: float

    @property
    def centre(self) -> float:
        """The column of the box's middle."""
        return self.box[0] + self.box[2] / 2


def things(scene: Scene) -> tuple[Thing, ...]:
    """The objects of a scene from left to right."""
    layout = scene.canvas.layout
    concepts = layout.setting.sample.concepts
    side = scene.image.shape[0]
    found = [
        Thing(
            token=concept.token,
            noun=concept.class_noun,
            box=(box[0] / side, box[1] / side, box[2] / side, box[3] / side),
            base=(place.y + place.height) / side,
            depth=place.depth,
        )
        for concept, place, box in zip(concepts, layout.placements, scene.canvas.boxes, strict=True)
    ]
    return tuple(sorted(found, key=lambda thing: (thing.centre, thing.token)))


def left_of(one: Thing, other: Thing) -> bool:
    """One is to the left of the other in the picture."""
    return one.centre < other.centre and _shared_width(one, other) <= BESIDE_OVERLAP


def in_front_of(one: Thing, other: Thing) -> bool:
    """One stands nearer than the other, and in line with it."""
    nearer = one.depth < other.depth and one.base >= other.base + BASE_STEP
    return nearer and _shared_width(one, other) >= FRONT_OVERLAP


def next_to(one: Thing, other: Thing, everything: Iterable[Thing]) -> bool:
    """The two stand side by side with little room, and nothing else, between them."""
    left, right = sorted((one, other), key=lambda thing: thing.centre)
    gap = right.box[0] - (left.box[0] + left.box[2])
    near = gap <= NEXT_GAP * max(left.box[2], right.box[2])
    level = abs(left.base - right.base) <= NEXT_STEP * min(left.box[3], right.box[3])
    alone = not any(left.centre <= thing.centre <= right.centre for thing in everything if thing not in (one, other))
    return left_of(left, right) and near and level and alone


def between(left: Thing, middle: Thing, right: Thing) -> bool:
    """The middle one has the first on its left and the last on its right, and is neither far behind nor before them."""
    bases = sorted((left.base, right.base))
    level = bases[0] - BETWEEN_STEP <= middle.base <= bases[1] + BETWEEN_STEP
    return left_of(left, middle) and left_of(middle, right) and level


def _shared_width(one: Thing, other: Thing) -> float:
    """How much of the narrower thing's width lies over the other's, 0 to 1."""
    start = max(one.box[0], other.box[0])
    end = min(one.box[0] + one.box[2], other.box[0] + other.box[2])
    return max(0.0, end - start) / max(1e-9, min(one.box[2], other.box[2]))
