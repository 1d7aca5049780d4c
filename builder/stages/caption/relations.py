"""Spatial relations between two objects of a picture.

Every relation is cautious: it holds only if it is obvious in the picture.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from builder.records import Box, Scene, size_of

BESIDE_OVERLAP = 0.25
"""Side by side: the two share at most this fraction of the narrower one's width."""
FRONT_OVERLAP = 0.3
"""In front: the two share at least this fraction of the narrower one's width."""
BASE_STEP = 0.03
"""In front: one stands lower by at least this fraction of the picture."""
NEXT_GAP = 0.6
"""Next to: the gap is at most this fraction of the wider one's width."""
NEXT_STEP = 0.3
"""Next to: one stands lower by at most this fraction of the smaller one's height."""
BETWEEN_STEP = 0.08
"""Between: one stands at most this fraction of the picture above or below the range of the other two."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SceneObject:
    """One object of a scene, reduced to what the relations depend on.

    token, noun: of its concept. box: its visible extent. base: the row on which it stands. Both are fractions of the
    picture's width or height. depth: as placed, 0 at the viewer.
    """

    token: str
    noun: str
    box: Box
    base: float
    depth: float

    @property
    def centre(self) -> float:
        """The column of the box's centre."""
        return self.box[0] + self.box[2] / 2


def scene_objects(scene: Scene) -> tuple[SceneObject, ...]:
    """The objects of a scene from left to right."""
    layout = scene.canvas.layout
    concepts = layout.setting.sample.concepts
    across, down = size_of(scene.image)
    found = [
        SceneObject(
            token=concept.token,
            noun=concept.class_noun,
            box=(box[0] / across, box[1] / down, box[2] / across, box[3] / down),
            base=(place.y + place.height) / down,
            depth=place.depth,
        )
        for concept, place, box in zip(concepts, layout.placements, scene.canvas.boxes, strict=True)
    ]
    return tuple(sorted(found, key=lambda item: (item.centre, item.token)))


def left_of(one: SceneObject, other: SceneObject) -> bool:
    """Whether one is to the left of the other in the picture."""
    return one.centre < other.centre and _shared_width(one, other) <= BESIDE_OVERLAP


def in_front_of(one: SceneObject, other: SceneObject) -> bool:
    """Whether one stands nearer than the other and overlaps it horizontally."""
    nearer = one.depth < other.depth and one.base >= other.base + BASE_STEP
    return nearer and _shared_width(one, other) >= FRONT_OVERLAP


def next_to(one: SceneObject, other: SceneObject, everything: Iterable[SceneObject]) -> bool:
    """Whether the two stand side by side, with a small gap and no other object between them."""
    left, right = sorted((one, other), key=lambda item: item.centre)
    gap = right.box[0] - (left.box[0] + left.box[2])
    near = gap <= NEXT_GAP * max(left.box[2], right.box[2])
    level = abs(left.base - right.base) <= NEXT_STEP * min(left.box[3], right.box[3])
    alone = not any(left.centre <= item.centre <= right.centre for item in everything if item not in (one, other))
    return left_of(left, right) and near and level and alone


def between(left: SceneObject, middle: SceneObject, right: SceneObject) -> bool:
    """Whether `middle` has `left` on its left and `right` on its right, and is neither far behind nor far in front."""
    if not (left_of(left, middle) and left_of(middle, right)):
        return False
    lower, upper = sorted((left.base, right.base))
    return lower - BETWEEN_STEP <= middle.base <= upper + BETWEEN_STEP


def _shared_width(one: SceneObject, other: SceneObject) -> float:
    """Fraction of the narrower one's width that the two share, 0 to 1."""
    start = max(one.box[0], other.box[0])
    end = min(one.box[0] + one.box[2], other.box[0] + other.box[2])
    return max(0.0, end - start) / max(1e-9, min(one.box[2], other.box[2]))
