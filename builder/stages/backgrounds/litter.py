"""Seamless ground tiles on which stones or leaves are laid one by one; lit like those of materials.py."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from builder.records import Rgb
from builder.stages.backgrounds.materials import TILE, lit
from builder.stages.backgrounds.noise import Field, fractal, soft
from builder.stages.backgrounds.palette import Colour, blend, light_up, tint

SHAPES = 24
"""Number of different stones in a tile of gravel."""
_SIDE = 64
"""Width and height in pixels of a stone's shape."""
_SHIFT, _SCALE = 4, 16
"""Fractional bits of the coordinates of polygons, and the number of parts of a pixel."""
_REACH = 1.6
"""Half the width of a stone's shape, in radii."""
_SMALLEST, _LARGEST = 3, 42
"""Radii of stones in pixels."""


def gravel(rng: np.random.Generator, palette: Sequence[Colour], count: int) -> Rgb:
    """Grit with `count` loose stones of many sizes on it."""
    grit = fractal((TILE, TILE), rng, 0.5, lowest=4)
    rise = np.float32(0.5) * grit + np.float32(2.5) * soft((TILE, TILE), rng, 1.8, lowest=1)
    pad = round(2 * _REACH * _LARGEST) + 2  # so that each stone that reaches into the tile is whole
    height, tone, rough, spots = (
        cv2.copyMakeBorder(each, pad, pad, pad, pad, cv2.BORDER_WRAP)
        for each in (
            rise,
            np.float32(0.45) + np.float32(0.13) * grit,
            np.float32(0.25) * grit,
            np.float32(0.07) * grit,
        )
    )
    shapes = [_stone(rng) for _ in range(SHAPES)]
    radii = np.sort(np.clip(rng.lognormal(2.0, 0.65, count), _SMALLEST, _LARGEST))
    places, kinds = rng.integers(0, TILE, (count, 2)).tolist(), rng.integers(0, SHAPES, count).tolist()
    for radius, (row, column), kind, shade in zip(
        radii, places, kinds, rng.uniform(0.2, 1, count).astype(np.float32), strict=True
    ):
        half = int(radius * _REACH) + 1
        side = 2 * half + 1
        dome = cv2.resize(shapes[kind], (side, side)) * np.float32(radius)
        for top, left in _copies(row, column, half):
            here = slice(top + pad - half, top + pad + half + 1), slice(left + pad - half, left + pad + half + 1)
            above = dome > np.maximum(height[here] - 2, np.float32(0.1 * radius))
            np.copyto(height[here], dome + rough[here], where=above)
            np.copyto(tone[here], spots[here] + shade, where=above)
    middle = slice(pad, -pad), slice(pad, -pad)
    return light_up(tint(palette, tone[middle]), lit(height[middle]))


def leaves(rng: np.random.Generator, palette: Sequence[Colour], soil: Sequence[Colour], count: int) -> Rgb:
    """Overlapping fallen leaves, each with a midrib and a shadow on those below."""
    shade = np.float32(0.25) * soft((TILE, TILE), rng, 1.0, lowest=4) + np.float32(0.5)
    ground = tint(soil, shade)
    places = rng.uniform(0, TILE, (count, 2))
    lengths = rng.uniform(45, 85, count)
    shapes = _leaves(rng, lengths)
    outlines, ribs = (np.rint((shape + places[:, None]) * _SCALE).astype(np.int32) for shape in shapes)
    tones = blend(palette, rng.random((1, count), np.float32))[0] * np.linspace(0.55, 1, count)[:, None]
    shades = ((factor * tones).tolist() for factor in (1, 0.35, 0.72))
    leaf = zip(places.tolist(), lengths.tolist(), outlines, ribs, *shades, strict=True)
    for (column, row), length, outline, rib, tone, shadow, dark in leaf:
        for down, across in _copies(row, column, length):
            x, y = round(across - column) * _SCALE, round(down - row) * _SCALE
            below = x + 4 * _SCALE, y + 5 * _SCALE
            cv2.fillPoly(ground, [outline], shadow, cv2.LINE_AA, _SHIFT, below)
            cv2.fillPoly(ground, [outline], tone, cv2.LINE_AA, _SHIFT, (x, y))
            cv2.polylines(ground, [rib + np.array((x, y), np.int32)], False, dark, 1, cv2.LINE_AA, _SHIFT)
    return light_up(ground, np.float32(0.05) * fractal((TILE, TILE), rng, 0.7, lowest=10) + 1)


def _stone(rng: np.random.Generator) -> Field:
    """The height of a stone whose radius is 1; 0 beside it."""
    ramp = np.linspace(-_REACH, _REACH, _SIDE, dtype=np.float32)
    down, across = ramp[:, None], ramp[None, :]
    squashed = across * np.float32(rng.uniform(0.65, 1)) + down * np.float32(rng.uniform(-0.4, 0.4))
    facets = np.cos(np.arctan2(down, squashed) * 3 + np.float32(rng.uniform(0, 6.3)))
    far = (down**2 + squashed**2) / (1 + np.float32(0.16) * facets) ** 2
    return np.asarray(0.75 * np.clip(1 - far, 0, 0.5) ** 0.6, np.float32)


def _leaves(rng: np.random.Generator, lengths: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Outlines, float [leaves, 18, 2], and midribs, float [leaves, 10, 2], around the origin; x before y."""
    count = len(lengths)
    slim, curl = rng.uniform(0.28, 0.5, (count, 1)), rng.normal(0, 0.25, (count, 1))
    turn = rng.uniform(0, 2 * np.pi, count)
    along = np.linspace(0, 1, 9)
    side = np.sin(np.pi * along**0.8) * slim * (1 + 0.12 * (np.arange(9) % 2))
    bend = curl * along**2
    x = np.broadcast_to(along - 0.5, bend.shape)
    outline = np.stack([np.hstack([x, x[:, ::-1]]), np.hstack([side + bend, (bend - side)[:, ::-1]])], 2)
    rib = np.stack([np.pad(x, ((0, 0), (1, 0)), constant_values=-0.65), np.pad(bend, ((0, 0), (1, 0)))], 2)
    rotation = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]]) * lengths
    rotation = np.moveaxis(rotation, 2, 0)
    return outline @ rotation, rib @ rotation


def _copies(row: float, column: float, reach: float) -> Iterator[tuple[float, float]]:
    """The positions at which to draw an object of radius `reach`, so that it wraps around the tile's edges."""
    for down in (row - TILE, row, row + TILE):
        for across in (column - TILE, column, column + TILE):
            if -reach <= min(down, across) and max(down, across) < TILE + reach:
                yield down, across
