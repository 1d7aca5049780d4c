"""A camera looking over flat ground: projects a tile of ground, seen from above, into a picture."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from builder.records import Rgb
from builder.stages.backgrounds.noise import Field
from builder.stages.backgrounds.palette import mix

Rows = NDArray[np.floating]
"""One number per row of a picture."""
Tile = TypeVar("Tile", Rgb, Field)

FOCAL_LENGTH = 1.15
"""In picture widths: a moderate 47 degree field of view."""

_PATCH = np.float32(0.31)
"""Copies of the patches' noise per copy of the tile: an uneven number, so that both rarely repeat together."""
_SHIFT = np.array([0.37, 0.59], np.float32)
"""Offset of the shifted copies of a tile, in tiles."""
_LEVELS = 5
"""Number of pictures of growing blur between which `defocus` interpolates."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Camera:
    """The view of a scene: the horizon and how much ground is visible.

    horizon: row where the ground vanishes, as a fraction of the height.
    width: metres of ground along the picture's bottom edge.
    yaw: how far the ground is turned under the camera, in radians.
    """

    horizon: float
    width: float
    yaw: float = 0.0

    def nearness(self, first: int, size: int) -> NDArray[np.float32]:
        """How near the ground in rows `first` to `size` of a picture is: 1 at the bottom edge, 0 at the horizon."""
        row = (np.arange(first, size) + 0.5) / size
        return ((row - self.horizon) / (1 - self.horizon)).astype(np.float32)


def tile_ground(tile: Rgb, metres: float, camera: Camera, size: int, top: int, *, patches: Field | None = None) -> Rgb:
    """Cover the ground below row `top` of a square picture with copies of a tile.

    A pixel takes its colour from the level of the tile's image pyramid that matches the ground that it covers
    (trilinear filtering; Williams 1983, "Pyramidal parametrics").

    Args:
        tile: uint8 [N, N, 3], seamless, N a power of two; its vertical axis points away from the camera.
        metres: how much ground one tile covers.
        camera: the view.
        size: of the picture in pixels.
        top: first row of the ground; must be below the horizon.
        patches: tileable noise; where it is positive the copies are shifted, so that their repetition does not show
            (Quilez 2015, "Texture repetition"). For materials without a pattern.

    Returns:
        uint8 [size - top, size, 3].
    """
    near = camera.nearness(top, size)
    away = FOCAL_LENGTH * camera.width / near[:, None]
    columns = (np.arange(size) + 0.5).astype(np.float32) / np.float32(size) - np.float32(0.5)
    aside = columns * camera.width / near[:, None]
    cos, sin = np.float32(np.cos(camera.yaw)), np.float32(np.sin(camera.yaw))
    x = np.asarray((aside * cos - away * sin) / metres, np.float32)
    y = np.asarray((aside * sin + away * cos) / -metres, np.float32)

    texels = len(tile) / metres * camera.width / size
    footprint = texels / near * (FOCAL_LENGTH / (1 - camera.horizon) / near) ** 0.6  # Between its width and its depth.
    levels = _pyramid(tile)
    level = np.clip(np.log2(footprint), 0, len(levels) - 1.001)
    ground = _look_up(levels, x, y, level)
    if patches is None:
        return ground
    shifted = _look_up(levels, x + _SHIFT[0], y + _SHIFT[1], level)
    share = np.clip(_wrapped(patches, _fraction(x * _PATCH), _fraction(y * _PATCH)) * 2.5 + 0.5, 0, 1)
    return mix(ground, shifted, share)


def defocus(picture: Rgb, camera: Camera, blur: float, sharp_from: float) -> None:
    """Put the far ground and all beyond it out of focus, in place.

    The circle of confusion of ground at distance z, focused at f, is proportional to 1 - f/z, so it falls linearly with
    nearness: `blur` at the horizon, 0 at `sharp_from` and nearer.

    Args:
        picture: uint8 [S, S, 3].
        camera: the view that the picture was taken with.
        blur: standard deviation at the horizon and beyond, as a fraction of the picture's size.
        sharp_from: nearness from which everything is sharp.
    """
    size = len(picture)
    sigma = blur * size * np.clip(1 - camera.nearness(0, size) / sharp_from, 0, 1)
    rows = int(np.count_nonzero(sigma))
    step = blur * size / (_LEVELS - 1)
    picture[:rows] = _between(lambda index, here: blurred(picture, step * index, here), sigma[:rows] / step)


def blurred(picture: Rgb, sigma: float, rows: slice) -> Rgb:
    """Some rows of a picture after a Gaussian blur of the whole.

    A wide blur is done at half the size, or at a quarter, which loses nothing that such a blur would keep.
    """
    if sigma == 0:
        return picture[rows]
    part = 4 if sigma >= 8 else 2 if sigma >= 3 else 1
    reach = round(3 * sigma / part + 1) * part
    first = max(rows.start - reach, 0) // part * part
    around = picture[first : -(-(rows.stop + reach) // part) * part]
    soft = cv2.GaussianBlur(_reduced(around, part), (0, 0), sigma / part)
    if part > 1:
        soft = cv2.resize(soft, around.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    return np.asarray(soft[rows.start - first : rows.stop - first], np.uint8)


def _reduced(picture: Rgb, part: int) -> Rgb:
    if part == 1:
        return picture
    return np.asarray(cv2.resize(picture, None, fx=1 / part, fy=1 / part, interpolation=cv2.INTER_AREA), np.uint8)


def _pyramid(tile: Rgb) -> list[Rgb]:
    levels = [tile]
    while len(levels[-1]) > 8:
        levels.append(cv2.resize(levels[-1], None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA))
    return levels


def _look_up(levels: Sequence[Rgb], x: Field, y: Field, level: Rows) -> Rgb:
    """Colours at positions measured in tiles; each row is read from its own level of the pyramid."""
    x, y = _fraction(x), _fraction(y)
    return _between(lambda index, here: _wrapped(levels[index], x[here], y[here]), level)


def _wrapped(tile: Tile, x: Field, y: Field) -> Tile:
    """A tile's interpolated values at positions from 0 to 1; the tile wraps around at its edges."""
    side = np.float32(len(tile))
    around = cv2.copyMakeBorder(tile, 1, 1, 1, 1, cv2.BORDER_WRAP)
    half = np.float32(0.5)
    return cv2.remap(around, x * side + half, y * side + half, cv2.INTER_LINEAR)  # type: ignore[return-value]


def _fraction(place: Field) -> Field:
    """Position within a copy of the tile, 0 to 1."""
    return np.asarray(place - np.floor(place), np.float32)


def _between(picture_at: Callable[[int, slice], Rgb], level: Rows) -> Rgb:
    """Interpolate each row between the two of several pictures whose indices enclose the row's level.

    Args:
        picture_at: (index, rows) -> these rows of the picture of that index.
        level: float [rows], monotonic, from 0 to the last index.
    """
    lower = np.maximum(np.ceil(level).astype(np.intp) - 1, 0)
    ends = [0, *(np.flatnonzero(np.diff(lower)) + 1).tolist(), len(lower)]
    mixed: list[Rgb] = []
    for here in map(slice, ends, ends[1:]):
        index = int(lower[here.start])
        share = (level[here] - index).astype(np.float32)[:, None]
        mixed.append(mix(picture_at(index, here), picture_at(index + 1, here), share))
    return np.concatenate(mixed)
