"""Shadows on the ground: a dark line where an object touches it, and a soft patch away from the light.

All shadows of a scene are drawn into one map at a quarter of the size and laid on the background before any object, so
that they darken the ground and never an object that merely stands beside.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from builder.records import Alpha, Layer, Rgb

MAP_SCALE = 4
"""Shadows are soft: they are drawn at a quarter of the scene's width and height."""

CONTACT_SHARE = 0.8
"""How dark the contact line is, as a factor of the strength; the cast patch is weaker."""
CAST_SHARE = 0.75

CONTACT_REACH = 0.10
"""Lower contours within this share of the object's height above its base touch the ground."""


@dataclass(frozen=True, slots=True)
class Light:
    """Where shadows fall, per unit of an object's height: `lean` to the right, `reach` up the picture, away from us."""

    lean: float
    reach: float


def draw_light(rng: np.random.Generator) -> Light:
    """One light for a scene: high, slightly behind the viewer, from the left or the right."""
    return Light(lean=float(rng.choice([-1.0, 1.0]) * rng.uniform(0.08, 0.3)), reach=float(rng.uniform(0.08, 0.14)))


def cast_shadows(picture: Rgb, layers: Sequence[Layer], light: Light, strength: float) -> None:
    """Darken the ground under and beside each layer, in place.

    Args:
        picture: uint8 [S, S, 3], the background.
        layers: the objects; each stands on its lowest opaque row.
        light: the scene's light.
        strength: 0 to 1.
    """
    size = picture.shape[0]
    side = -(-size // MAP_SCALE)
    passing = np.ones((side, side), np.float32)
    for layer in layers:
        alpha = _shrunk(layer.alpha)
        opaque = np.flatnonzero(alpha.max(axis=1) > 0.5)
        if not opaque.size:
            continue
        base = int(opaque[-1]) + 1
        x, y = layer.x / MAP_SCALE, layer.y / MAP_SCALE
        passing *= 1 - strength * CAST_SHARE * _cast(alpha[:base], x, y, side, light)
        passing *= 1 - strength * CONTACT_SHARE * _contact(alpha[:base], x, y, side)
    rows = np.flatnonzero(passing.min(axis=1) < 0.998)
    if rows.size:
        top, bottom = rows[0] * MAP_SCALE, min(size, (rows[-1] + 1) * MAP_SCALE)
        full = cv2.resize(passing, (side * MAP_SCALE, side * MAP_SCALE), interpolation=cv2.INTER_LINEAR)
        darker = np.rint(full[top:bottom, :size] * 255).astype(np.uint8)
        ground = picture[top:bottom]
        ground[:] = cv2.multiply(ground, cv2.merge([darker] * 3), scale=1 / 255)


def _shrunk(alpha: Alpha) -> Alpha:
    height, width = alpha.shape
    to = (max(1, round(width / MAP_SCALE)), max(1, round(height / MAP_SCALE)))
    return np.asarray(cv2.resize(alpha, to, interpolation=cv2.INTER_AREA), np.float32)


def _cast(alpha: Alpha, x: float, y: float, side: int, light: Light) -> Alpha:
    """The silhouette laid on the ground: squashed, leaning away from the light, softer than the object."""
    height, width = alpha.shape
    base = y + height
    to_map = np.array(
        [[1, -light.lean, x + light.lean * height], [0, light.reach, base - light.reach * height]], np.float32
    )
    flat = cv2.warpAffine(alpha, to_map, (side, side), flags=cv2.INTER_LINEAR)
    return np.asarray(cv2.GaussianBlur(flat, (0, 0), max(1.5, 0.03 * max(height, width))), np.float32)


def _contact(alpha: Alpha, x: float, y: float, side: int) -> Alpha:
    """A thin dark line along those parts of the lower contour that touch the ground."""
    height = alpha.shape[0]
    solid = alpha > 0.5
    lowest = height - 1 - np.argmax(solid[::-1], axis=0)
    touching = solid.any(axis=0) & (height - 1 - lowest <= CONTACT_REACH * height)
    line = np.zeros((side + 8, side + 8), np.float32)
    columns = np.flatnonzero(touching)
    rows = lowest[columns] + round(y)
    columns = np.clip(columns + round(x), 0, side - 1)
    thick = max(1, round(0.02 * height))
    for offset in range(-thick, thick + 1):
        line[np.clip(rows + offset, 0, side), columns] = 1
    blurred = cv2.GaussianBlur(line, (0, 0), max(1.0, 0.015 * height + 0.5))[:side, :side]
    return np.asarray(np.minimum(blurred, 1), np.float32)
