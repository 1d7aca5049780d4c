"""Shadows on the ground: dark where an object touches it, soft around its foot, faint away from the light.

All shadows of a scene are drawn into one map at a quarter of the size and laid on the background before any object, so
that they darken the ground and never an object next to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from builder.records import Alpha, Layer, Rgb

MAP_SCALE = 4
"""Shadows are drawn at a quarter of the scene's width and height, because they are soft."""

CONTACT_SHARE, FOOT_SHARE, CAST_SHARE = 1.0, 0.9, 0.65
"""Darkness of the three parts of a shadow, as factors of the strength."""

FOOT_HEIGHT = 0.4
"""The lowest part of an object, as a fraction of its height, that is near enough to the ground to shade it."""


@dataclass(frozen=True, slots=True)
class Light:
    """Extent of shadows per unit of an object's height: `lean` to the right, `reach` up the picture (to the back)."""

    lean: float
    reach: float


def draw_light(rng: np.random.Generator) -> Light:
    """One light for a scene: high, slightly behind the viewer, from the left or the right."""
    return Light(lean=float(rng.choice([-1.0, 1.0]) * rng.uniform(0.35, 0.8)), reach=float(rng.uniform(0.1, 0.2)))


def cast_shadows(picture: Rgb, layers: Sequence[Layer], light: Light, strength: float) -> None:
    """Darken the ground under and beside each layer, in place.

    Args:
        picture: uint8 [H, W, 3], the background.
        layers: the objects; each stands on its lowest opaque row.
        light: the scene's light.
        strength: 0 to 1.
    """
    top, passing = ground_light(picture.shape[:2], layers, light, strength)
    if passing.size:
        ground = picture[top : top + passing.shape[0]]
        cv2.multiply(ground, cv2.merge([passing, passing, passing]), dst=ground, scale=1 / 255)


def ground_light(
    shape: tuple[int, ...], layers: Sequence[Layer], light: Light, strength: float
) -> tuple[int, NDArray[np.uint8]]:
    """How much light reaches the ground, in the rows of a picture that have shadows.

    Args:
        shape: height and width of the picture.
        layers: the objects.
        light: the scene's light.
        strength: 0 to 1.

    Returns:
        The first of these rows, and uint8 [rows, W] for them: 255 is full light. No rows where there is no shadow.
    """
    height, width = shape
    passing = np.ones((-(-height // MAP_SCALE), -(-width // MAP_SCALE)), np.float32)
    for layer in layers:
        _shade(passing, layer, light, strength)
    rows = np.flatnonzero(passing.min(axis=1) < 0.998)
    if not rows.size:
        return 0, np.zeros((0, width), np.uint8)
    top, bottom = max(0, int(rows[0]) - 1), int(rows[-1]) + 2
    window = np.rint(passing[top:bottom] * 255).astype(np.uint8)
    full = cv2.resize(
        window, (window.shape[1] * MAP_SCALE, window.shape[0] * MAP_SCALE), interpolation=cv2.INTER_LINEAR
    )
    return top * MAP_SCALE, np.asarray(full[: height - top * MAP_SCALE, :width], np.uint8)


def _shade(passing: Alpha, layer: Layer, light: Light, strength: float) -> None:
    """Multiply one object's shadow into `passing`, the map of how much light reaches the ground."""
    alpha = _shrunk(layer.alpha)
    opaque = np.flatnonzero(alpha.max(axis=1) > 0.5)
    if not opaque.size:
        return
    alpha = alpha[: int(opaque[-1]) + 1]
    height, width = alpha.shape
    low = max(1, round(FOOT_HEIGHT * height))
    blur = 0.05 * float(np.hypot(height, width)) + 1
    across, along = int(abs(light.lean) * height + 2 * blur) + 2, int(2 * blur) + 2

    foot = cv2.copyMakeBorder(alpha[-low:], along, along, across, across, cv2.BORDER_CONSTANT, value=0)
    shade = 1 - strength * FOOT_SHARE * _foot(foot, along, low, blur)
    shade *= 1 - strength * CONTACT_SHARE * _contact(foot, along, low)
    to_ground = np.array(
        [
            [1, -light.lean, across + light.lean * height],
            [0, light.reach, along + low - light.reach * height],
        ]
    )
    flat = cv2.warpAffine(alpha, to_ground, foot.shape[::-1], flags=cv2.INTER_LINEAR)
    shade *= 1 - strength * CAST_SHARE * _blurred(flat, blur * 0.6, blur * 0.6)

    left, top = round(layer.x / MAP_SCALE) - across, round(layer.y / MAP_SCALE) + height - low - along
    rows = slice(max(0, top), min(passing.shape[0], top + shade.shape[0]))
    columns = slice(max(0, left), min(passing.shape[1], left + shade.shape[1]))
    passing[rows, columns] *= shade[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]


def _shrunk(alpha: Alpha) -> Alpha:
    height, width = alpha.shape
    to = (max(1, round(width / MAP_SCALE)), max(1, round(height / MAP_SCALE)))
    return np.asarray(cv2.resize(alpha, to, interpolation=cv2.INTER_LINEAR), np.float32)


def _foot(foot: Alpha, start: int, low: int, blur: float) -> Alpha:
    """Fraction of light that the object's lower part, from row `start` down, blocks on the ground all around it."""
    near = np.clip((np.arange(foot.shape[0], dtype=np.float32) - start) / low, 0, 1)[:, None]
    soft = _blurred(foot * near, blur, blur * 0.45)
    return np.asarray(np.minimum(2 * soft, 1), np.float32)


def _contact(foot: Alpha, start: int, low: int) -> Alpha:
    """A thin dark line below the lower contour, fading where the contour rises from the ground."""
    solid = foot > 0.5
    columns = np.flatnonzero(solid.any(axis=0))
    lowest = foot.shape[0] - 1 - np.argmax(solid[::-1, columns], axis=0)
    near = ((lowest + 1 - start) / low).astype(np.float32)
    line = np.zeros_like(foot)
    for offset in range(-1, 3):
        line[lowest + offset, columns] = near
    return _blurred(line, 1.5 + 0.025 * low, 1.0 + 0.0125 * low)


def _blurred(shade: NDArray[np.floating[Any]], across: float, along: float) -> Alpha:
    """Blur by these standard deviations, within three of them: no further part changes a value of 8 bits."""
    window = (2 * round(3 * across) + 1, 2 * round(3 * along) + 1)
    return np.asarray(cv2.GaussianBlur(shade, window, sigmaX=across, sigmaY=along), np.float32)
