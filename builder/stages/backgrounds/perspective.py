"""A camera looking over flat ground: projects a tile of ground, seen from above, into a picture."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from builder.records import Rgb, Rgba
from builder.stages.backgrounds.noise import Field
from builder.stages.backgrounds.palette import mix, mix_rows

Rows = NDArray[np.floating]
"""One number per row of a picture."""
Tile = TypeVar("Tile", Rgba, Field)

FOCAL_LENGTH = 1.15
"""In picture widths: a moderate 47 degree field of view."""

_PATCH = np.float32(0.31)
"""Copies of the patches' noise per copy of the tile: an uneven number, so that both rarely repeat together."""
_SHIFT = np.array([0.37, 0.59], np.float32)
"""Offset of the shifted copies of a tile, in tiles."""
_LEVELS = 5
"""Number of pictures of growing blur between which `defocus` interpolates."""
_SMALLEST = 8
"""Width and height in pixels of the smallest level of a tile's image pyramid."""
_BAND = 48
"""Rows of ground that are projected together: few enough for the processor's cache."""


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
    levels = _pyramid(cv2.cvtColor(tile, cv2.COLOR_RGB2RGBA))  # OpenCV looks up four channels faster than three
    noise = None if patches is None else _padded(patches)
    texels = len(tile) / metres * camera.width / size
    ground = np.empty((size - top, size, 3), np.uint8)
    near = camera.nearness(top, size)
    for first in range(0, len(near), _BAND):
        here = slice(first, first + _BAND)
        x, y = _on_ground(near[here], camera, size, metres)
        footprint = texels / near[here] * (FOCAL_LENGTH / (1 - camera.horizon) / near[here]) ** 0.6  # width and depth
        level = np.clip(np.log2(footprint), 0, len(levels) - 1.001)
        seen = _look_up(levels, x, y, level)
        if noise is not None:
            shifted = _look_up(levels, x + _SHIFT[0], y + _SHIFT[1], level)
            share = np.clip(_wrapped(noise, _within(x * _PATCH), _within(y * _PATCH)) * 2.5 + 0.5, 0, 1)
            seen = mix(seen, shifted, share)
        cv2.cvtColor(seen, cv2.COLOR_RGBA2RGB, dst=ground[here])
    return ground


def _on_ground(near: NDArray[np.float32], camera: Camera, size: int, metres: float) -> tuple[Field, Field]:
    """Positions of the pixels of some rows on the ground, measured in tiles; near: of each row."""
    away = FOCAL_LENGTH * camera.width / near[:, None]
    columns = (np.arange(size) + 0.5).astype(np.float32) / np.float32(size) - np.float32(0.5)
    aside = columns * camera.width / near[:, None]
    cos, sin = np.float32(np.cos(camera.yaw) / metres), np.float32(np.sin(camera.yaw) / metres)
    return np.asarray(aside * cos - away * sin, np.float32), np.asarray(aside * -sin - away * cos, np.float32)


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
    level = (_LEVELS - 1) * np.clip(1 - camera.nearness(0, size) / sharp_from, 0, 1)
    step = blur * size / (_LEVELS - 1)
    bands = []
    for index in range(_LEVELS):
        rows = np.flatnonzero(np.abs(level - index) < 1)
        bands.append((rows[0], blurred(picture, step * index, slice(rows[0], rows[-1] + 1))))

    for here, index, share in _runs(level[: np.count_nonzero(level)]):
        first, *second = (pixels[here.start - top : here.stop - top] for top, pixels in bands[index : index + 2])
        picture[here] = first
        if second and share.any():
            mix_rows(picture[here], second[0], share)


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


def _pyramid(tile: Rgba) -> list[Rgba]:
    """The tile at its own size, half of it, a quarter, and so on, each padded for `_wrapped`."""
    levels = []
    while len(tile) >= _SMALLEST:
        levels.append(_padded(tile))
        tile = np.asarray(cv2.resize(tile, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), np.uint8)
    return levels


def _padded(tile: Tile) -> Tile:
    """A tile that continues by a pixel at each side, as its copies beside it do."""
    return cv2.copyMakeBorder(tile, 1, 1, 1, 1, cv2.BORDER_WRAP)  # type: ignore[no-any-return]


def _look_up(levels: Sequence[Rgba], x: Field, y: Field, level: Rows) -> Rgba:
    """Colours at positions measured in tiles; each row is read from its own level of the pyramid."""
    x, y = _within(x), _within(y)
    seen = np.empty((*x.shape, 4), np.uint8)
    for here, index, share in _runs(level):
        seen[here] = _wrapped(levels[index], x[here], y[here])
        if share.any():
            mix_rows(seen[here], _wrapped(levels[index + 1], x[here], y[here]), share)
    return seen


def _wrapped(padded: Tile, x: Field, y: Field) -> Tile:
    """The interpolated values of a padded tile at positions from -0.5 to 0.5."""
    side, middle = np.float32(len(padded) - 2), np.float32((len(padded) - 1) / 2)
    return cv2.remap(padded, x * side + middle, y * side + middle, cv2.INTER_LINEAR)  # type: ignore[no-any-return]


def _within(place: Field) -> Field:
    """Position within the nearest copy of the tile, -0.5 to 0.5."""
    return np.asarray(place - np.rint(place), np.float32)


def _runs(level: Rows) -> Iterator[tuple[slice, int, Rows]]:
    """Find the two of several pictures between whose indices each row's level is.

    Args:
        level: float [rows], monotonic, from 0 to the last index.

    Yields:
        Rows that have the same two, the index of the first, and the share of the second in each row.
    """
    lower = level.astype(np.intp)
    ends = [0, *(np.flatnonzero(np.diff(lower)) + 1).tolist(), len(lower)]
    for here in map(slice, ends, ends[1:]):
        index = int(lower[here.start])
        yield here, index, level[here] - index
