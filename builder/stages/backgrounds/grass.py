"""Grass drawn blade by blade, and flowers."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from builder.records import Rgb
from builder.stages.backgrounds.noise import fractal
from builder.stages.backgrounds.palette import Colour, blend, choose, colour
from builder.stages.backgrounds.perspective import Camera

FARTHEST = 0.16
"""Nearness below which single blades are not drawn."""
FADE = 0.3
"""Range of nearness above FARTHEST over which blades change from the ground's colour to their own."""


def grow(
    picture: Rgb,
    rng: np.random.Generator,
    camera: Camera,
    palette: Sequence[Colour],
    *,
    metres: float,
    count: int,
    nearest: float = 1.04,
) -> None:
    """Draw blades about `metres` high on the ground, in place, far ones first, none nearer than `nearest`."""
    size = len(picture)
    near = FARTHEST + (nearest - FARTHEST) * np.sort(rng.random(count)) ** 1.25
    foot = (camera.horizon + near * (1 - camera.horizon)) * size
    x = rng.uniform(-0.02, 1.02, count) * size
    clump = fractal((256, 256), rng, 1.4, lowest=1)
    where = clump[(near * 200).astype(np.intp) % 256, (x / size * 160 / near**0.5).astype(np.intp) % 256]
    height = metres / camera.width * size * near * rng.uniform(0.55, 1.15, count) * (1 + 0.22 * where)
    lean = height * rng.normal(0.06, 0.38, count)
    width = np.maximum(height * rng.uniform(0.035, 0.06, count), 0.55)
    shade = blend(palette, np.clip(0.48 + 0.17 * where + rng.normal(0, 0.17, count), 0, 1).astype(np.float32)[None])[0]

    under = picture[np.minimum(foot.astype(np.intp), size - 1), np.clip(x.astype(np.intp), 0, size - 1)]
    own = np.clip((near - FARTHEST) / FADE, 0, 1)[:, None]
    shade = under + (shade - under) * own

    along = np.array([0.0, 0.4, 0.75, 1.0])
    centre_x = x[:, None] + lean[:, None] * along**2
    centre_y = foot[:, None] - height[:, None] * along * (1 - 0.12 * along)
    half = width[:, None] * np.array([1.0, 0.85, 0.5, 0.0])
    right = np.stack([centre_x + half, centre_y], 2)
    left = np.stack([centre_x - half, centre_y], 2)[:, -2::-1]
    outlines = np.round(np.concatenate([right, left], 1) * 16).astype(np.int32)
    for outline, tone in zip(outlines, shade.tolist(), strict=True):
        cv2.fillConvexPoly(picture, outline, tone, cv2.LINE_AA, 4)


def bloom(
    picture: Rgb,
    rng: np.random.Generator,
    camera: Camera,
    petals: Sequence[Colour],
    heart: Colour,
    *,
    metres: float,
    count: int,
) -> None:
    """Scatter small flowers, `metres` wide, in place, far ones first."""
    size = len(picture)
    near = 0.06 + 0.94 * np.sort(rng.random(count)) ** 1.1
    for nearness in near:
        radius = metres / 2 / camera.width * size * nearness * rng.uniform(0.7, 1.1)
        x = rng.uniform(0, size)
        y = (camera.horizon + nearness * (1 - camera.horizon)) * size - radius * 2.2
        petal = colour(choose(rng, petals)) * np.float32(rng.uniform(0.85, 1))
        turn = rng.uniform(0, np.pi)
        for angle in turn + np.arange(7) * 2 * np.pi / 7:
            _disc(picture, x + radius * 0.62 * np.cos(angle), y + radius * 0.4 * np.sin(angle), radius * 0.36, petal)
        _disc(picture, x, y, radius * 0.3, colour(heart))


def _disc(picture: Rgb, x: float, y: float, radius: float, shade: np.ndarray[tuple[int], np.dtype[np.float32]]) -> None:
    centre, axes = (round(x * 16), round(y * 16)), (max(round(radius * 16), 8), max(round(radius * 12), 6))
    cv2.ellipse(picture, centre, axes, 0, 0, 360, shade.tolist(), -1, cv2.LINE_AA, 4)
