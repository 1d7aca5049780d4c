"""A camera looking over a flat ground: from a tile of ground, seen from above, to a picture."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from builder.records import Rgb

FOCAL_LENGTH = 1.15
"""In picture widths: a moderate 47 degree field of view."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Camera:
    """Where the ground vanishes and how much of it is seen.

    horizon: row where the ground vanishes, as a fraction of the height.
    width: metres of ground along the picture's bottom edge.
    yaw: how far the ground is turned under the camera, in radians.
    """

    horizon: float
    width: float
    yaw: float = 0.0

    def nearness(self, row: NDArray[np.float32]) -> NDArray[np.float32]:
        """How near the ground at a row (a fraction of the height) is: 1 at the bottom edge, 0 at the horizon."""
        return np.asarray((row - self.horizon) / (1 - self.horizon), np.float32)


def lay(tile: Rgb, metres: float, camera: Camera, size: int, top: int) -> Rgb:
    """The ground below row `top` of a square picture, covered with copies of a tile.

    A pixel takes its colour from the level of the tile's image pyramid that matches the ground that it covers
    (trilinear filtering; Williams 1983, "Pyramidal parametrics").

    Args:
        tile: uint8 [N, N, 3], seamless, N a power of two; its rows run away from the camera.
        metres: how much ground one tile covers.
        camera: the view.
        size: of the picture in pixels.
        top: first row of the ground; must lie below the horizon.

    Returns:
        uint8 [size - top, size, 3].
    """
    rows = (np.arange(top, size, dtype=np.float32) + 0.5) / size
    near = camera.nearness(rows)
    away = FOCAL_LENGTH * camera.width / near[:, None]
    columns = (np.arange(size, dtype=np.float32) + 0.5) / size - 0.5
    aside = columns[None, :] * camera.width / near[:, None]
    cos, sin = np.float32(np.cos(camera.yaw)), np.float32(np.sin(camera.yaw))
    x = (aside * cos - away * sin) / metres % 1.0
    y = -(aside * sin + away * cos) / metres % 1.0

    texels = len(tile) / metres * camera.width / size
    footprint = texels / near * np.sqrt(FOCAL_LENGTH / (1 - camera.horizon) / near)
    levels = _pyramid(tile)
    level = np.clip(np.log2(footprint), 0, len(levels) - 1.001)
    finer = level.astype(np.intp)
    picture = np.empty((size - top, size, 3), np.uint8)
    for index in np.unique(finer):
        here = finer == index
        sharp, soft = (_look_up(levels[i], x[here], y[here]) for i in (index, index + 1))
        picture[here] = _mix(sharp, soft, (level - finer)[here])
    return picture


def defocus(picture: Rgb, camera: Camera, blur: float, sharp_from: float) -> Rgb:
    """The picture with its distance out of focus.

    The circle of confusion of ground at distance z, focused at f, is proportional to 1 - f/z, so it falls linearly with
    nearness: `blur` at the horizon, 0 at `sharp_from` and nearer.

    Args:
        picture: uint8 [S, S, 3].
        camera: the view that the picture was taken with.
        blur: standard deviation at the horizon and beyond, as a fraction of the picture's size.
        sharp_from: nearness from which everything is sharp.
    """
    size = len(picture)
    rows = (np.arange(size, dtype=np.float32) + 0.5) / size
    sigma = blur * size * np.clip(1 - camera.nearness(rows) / sharp_from, 0, 1)
    steps = np.linspace(0, blur * size, 5)
    levels = [picture, *(cv2.GaussianBlur(picture, (0, 0), step) for step in steps[1:])]
    level = np.clip(sigma / steps[1], 0, len(steps) - 1.001)
    finer = level.astype(np.intp)
    result = picture.copy()
    for index in np.unique(finer[sigma > 0]):
        here = finer == index
        result[here] = _mix(levels[index][here], levels[index + 1][here], (level - finer)[here])
    return result


def _pyramid(tile: Rgb) -> list[Rgb]:
    levels = [tile]
    while len(levels[-1]) > 8:
        levels.append(cv2.resize(levels[-1], None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA))
    return levels


def _look_up(tile: Rgb, x: NDArray[np.float32], y: NDArray[np.float32]) -> Rgb:
    """The tile's colours at fractions of its width and height, wrapping around its edges."""
    around = np.pad(tile, ((1, 1), (1, 1), (0, 0)), mode="wrap")
    side = np.float32(len(tile))
    return cv2.remap(around, x * side + 0.5, y * side + 0.5, cv2.INTER_LINEAR)  # type: ignore[no-any-return]


def _mix(first: Rgb, second: Rgb, share: NDArray[np.float32]) -> Rgb:
    """Row by row, `share` of the second picture over the first."""
    weight = (share * 256).astype(np.uint16)[:, None, None]
    return ((first * (256 - weight) + second * weight) >> 8).astype(np.uint8)
