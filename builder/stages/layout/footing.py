"""Find the ground in a background photo, cell by cell, and the fraction of an object's foot that is on it.

The horizon and the highest ground row of `Background` hold for the whole width. A photo also has flower beds and walls
at its sides, in front of which an object must not stand.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from builder.records import Cutout, Placement, Rgb, Size

SIDE = 48
"""Number of cells on each side of the map."""
STRIP = 6
"""Number of rows of cells at the lower edge, of which the middle half is assumed to show only ground."""
ALIKE = 9.0
"""Distance in CIELAB below which two colours count as one material; lightness has half weight because of shadows."""
SUPPORT = 1 / 36
"""A cell looks like ground if more than this fraction of the strip has a similar colour."""
FOOT = 0.1
"""The lowest part of an object, as a fraction of its height, that stands on the ground."""

GroundMap = NDArray[np.bool_]
"""bool [SIDE, SIDE]: True where the background looks like the ground at its lower edge."""


@dataclass(frozen=True, slots=True)
class Foot:
    """The columns of a cut-out between which its foot is, as fractions of its width, 0 to 1."""

    left: float
    right: float


def ground_map(pixels: Rgb) -> GroundMap:
    """Find where a background, uint8 [H, W, 3], looks like the middle of its lower edge."""
    small = cv2.resize(pixels, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    lab = cv2.cvtColor(small, cv2.COLOR_RGB2LAB).astype(np.float32) * np.array([0.5, 1, 1], np.float32)
    strip = lab[-STRIP:, SIDE // 4 : -SIDE // 4].reshape(-1, 3)[::2]
    squares = np.zeros((SIDE, SIDE, len(strip)), np.float32)
    for channel in range(3):  # a sum over an axis of three numbers takes three times as long
        squares += (lab[..., None, channel] - strip[:, channel]) ** 2
    return np.asarray((squares < ALIKE**2).mean(axis=2) > SUPPORT)


def find_foot(cutout: Cutout) -> Foot | None:
    """Find the columns between which an object's foot is; None if its foot is not in the picture."""
    rows, columns = cutout.rgba.shape[:2]
    found = np.flatnonzero((cutout.rgba[-max(1, round(FOOT * rows)) :, :, 3] >= 128).any(axis=0))
    if cutout.cut_off or not found.size:
        return None
    return Foot(left=float(found[0] / columns), right=float((found[-1] + 1) / columns))


def grounded_fraction(
    feet: Sequence[Foot | None], placements: Sequence[Placement], ground: GroundMap, size: Size
) -> float:
    """Fraction of the cells at an object's foot that are ground, 0 to 1; the lowest of all objects.

    Args:
        feet: of the objects.
        placements: of the same objects.
        ground: of the background.
        size: of the scene.
    """
    return min(_on_ground(foot, place, ground, size) for foot, place in zip(feet, placements, strict=True))


def _on_ground(foot: Foot | None, place: Placement, ground: GroundMap, size: Size) -> float:
    """The same for one object, 1 if its foot is not in the picture."""
    if foot is None:
        return 1.0
    left, right = ((place.x + at * place.width) / size.width * SIDE for at in (foot.left, foot.right))
    base = (place.y + place.height) / size.height * SIDE
    below = ground[
        max(0, int(base - 1.5)) : int(np.ceil(base + 1)), int(left) : max(int(left) + 1, int(np.ceil(right)))
    ]
    return float(below.mean()) if below.size else 1.0
