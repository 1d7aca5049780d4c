"""A pinhole camera around a toy, and the conversion of linear light to an 8-bit picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from builder.demo.sdf import Points, norm
from builder.demo.toy import Toy
from builder.records import Rgb

FOCAL = 1.9
"""Focal length in picture widths: a short telephoto lens, as used for portraits."""


@dataclass(frozen=True, slots=True)
class Camera:
    """A pinhole camera.

    eye: position, float32 [3]. axes: float32 [3, 3]; its rows are the unit vectors right, down and forward.
    """

    eye: NDArray[np.float32]
    axes: NDArray[np.float32]

    def rays(self, rows: NDArray[np.floating], columns: NDArray[np.floating], size: int) -> Points:
        """Unit directions [3, N] of the rays through N points of a picture of `size` by `size` pixels."""
        across, down = columns / size - 0.5, rows / size - 0.5
        local = np.stack([across, down, np.full_like(across, FOCAL)]).astype(np.float32)
        directions = self.axes.T @ local
        return np.asarray(directions / norm(directions), np.float32)

    @property
    def heading(self) -> NDArray[np.float32]:
        """The viewing direction projected onto the ground: a unit vector [2]."""
        return np.asarray(self.axes[2, :2] / np.linalg.norm(self.axes[2, :2]), np.float32)


def camera_around(toy: Toy, azimuth: float, elevation: float, fill: float) -> Camera:
    """A camera that centres the toy; the longer side of the toy's outline is `fill` times the picture's side.

    azimuth, elevation: degrees; azimuth 0 faces the toy's front and increases counter-clockwise, seen from above.
    """
    a, e = np.radians(azimuth + toy.facing), np.radians(elevation)
    forward = np.array([-np.sin(a) * np.cos(e), np.cos(a) * np.cos(e), -np.sin(e)])
    right = np.array([np.cos(a), np.sin(a), 0])
    axes = np.stack([right, np.cross(forward, right), forward])
    target, distance = (toy.shell.min(1) + toy.shell.max(1)) / 2, 6.0
    for _ in range(8):
        x, y, depth = axes @ (toy.shell - (target - distance * forward)[:, None])
        x, y = x / depth * FOCAL, y / depth * FOCAL
        target = target + (axes[0] * (x.min() + x.max()) + axes[1] * (y.min() + y.max())) / 2 * distance / FOCAL
        distance *= max(np.ptp(x), np.ptp(y)) / fill
    return Camera((target - distance * forward).astype(np.float32), axes.astype(np.float32))


def expose(light: NDArray[np.float32]) -> NDArray[np.float32]:
    """Tone-map linear light to at most 1, with Narkowicz's fit of the ACES curve.

    Apply it before averaging colours; otherwise one highlight would outshine the rest of its pixel.
    """
    x = 0.75 * light
    return np.asarray(np.minimum(x * (2.51 * x + 0.03) / (x * (2.43 * x + 0.59) + 0.14), 1), np.float32)


def develop(film: NDArray[np.float32], rng: np.random.Generator) -> Rgb:
    """Turn exposed light [S, S, 3] into an 8-bit picture: add a vignette, encode with gamma 2.2, add grain."""
    size = len(film)
    y, x = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j].astype(np.float32)
    light = np.maximum(film, 0) * (1 - 0.08 * (x * x + y * y))[..., None]  # a lens's resampling may give less than 0
    stored = 255 * light ** (1 / 2.2)
    grain = 1.6 * rng.standard_normal((size, size, 1), np.float32)
    return np.asarray(np.clip(np.round(stored + grain), 0, 255), np.uint8)
