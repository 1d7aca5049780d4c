"""Random fields that repeat without a seam; every procedural ground and sky is made from them."""

from __future__ import annotations

from statistics import NormalDist

import cv2
import numpy as np
from numpy.typing import NDArray

Field = NDArray[np.float32]
"""float32 [H, W]."""

_NORMAL = np.array([NormalDist().inv_cdf((byte + 0.5) / 256) for byte in range(256)], np.float32)
"""Normally distributed values for random bytes."""
_PART = 4
"""A soft field is drawn at this fraction of its width and height."""


def white(shape: tuple[int, int], rng: np.random.Generator) -> Field:
    """Independent values with a normal distribution: mean 0, standard deviation 1, 256 levels."""
    random = np.frombuffer(rng.bytes(shape[0] * shape[1]), np.uint8).reshape(shape)
    return np.asarray(cv2.LUT(random, _NORMAL), np.float32)


def fractal(
    shape: tuple[int, int],
    rng: np.random.Generator,
    slope: float,
    *,
    stretch: tuple[float, float] = (1.0, 1.0),
    lowest: float = 0.0,
) -> Field:
    """Noise whose amplitude falls with frequency as 1/f^slope; mean 0, standard deviation 1, tileable.

    Args:
        shape: rows and columns; the number of columns is even.
        rng: source of the random phases.
        slope: 0 is white, 1 is rough ground or bark, 2 is soft clouds or wrinkles.
        stretch: how many times longer features are along (rows, columns).
        lowest: frequencies below this many cycles per tile are left out, so that its repetition does not show.
    """
    rows, columns = shape
    half = rows // 2 + 1
    down = (np.arange(half, dtype=np.float32) * np.float32(stretch[0]))[:, None]
    across = (np.arange(columns // 2 + 1, dtype=np.float32) * np.float32(stretch[1]))[None, :]
    gain = _gain(down, across, slope, lowest)
    # The spectrum of a real field, as OpenCV packs it: a column of real parts, then one of imaginary parts, and so on;
    # the first and the last column, which are symmetric, are packed in the same way along the rows.
    spectrum = white(shape, rng)
    packed = (np.arange(rows) + 1) // 2
    edges = spectrum[:, [0, -1]] * gain[packed][:, [0, -1]]
    doubled = cv2.merge((gain, gain)).reshape(half, -1)[:, 1:-1]
    spectrum[:half] *= doubled
    spectrum[half:] *= doubled[rows - half : 0 : -1]
    spectrum[:, [0, -1]] = edges
    field: Field = cv2.idft(spectrum)
    return field * np.float32(np.sqrt(field.size) / cv2.norm(field))


def soft(shape: tuple[int, int], rng: np.random.Generator, slope: float, *, lowest: float) -> Field:
    """The same as `fractal` for steep slopes, without its smallest features; rows and columns are multiples of 4."""
    small = fractal((shape[0] // _PART, shape[1] // _PART), rng, slope, lowest=lowest)
    around = cv2.copyMakeBorder(small, 2, 2, 2, 2, cv2.BORDER_WRAP)
    edge = slice(2 * _PART, -2 * _PART)
    large = cv2.resize(around, None, fx=_PART, fy=_PART, interpolation=cv2.INTER_CUBIC)[edge, edge]
    return np.ascontiguousarray(large)


def _gain(down: Field, across: Field, slope: float, lowest: float) -> Field:
    """The amplitude of each pair of frequencies along rows and columns."""
    square = down**2 + across**2
    square[0, 0] = 1.0
    gain = cv2.pow(square, -slope / 2)
    if lowest:
        gain[square <= lowest**2] = 0.0
    gain[0, 0] = 0.0
    return np.asarray(gain, np.float32)


def relief(height: Field, light: tuple[float, float, float]) -> Field:
    """Brightness of each point of a tileable height map, 1 where it is flat (Lambert's cosine law).

    Args:
        height: in pixels.
        light: towards the light: x to the right, y down the rows, z up out of the surface.
    """
    around = cv2.copyMakeBorder(height, 1, 1, 1, 1, cv2.BORDER_WRAP)
    slope_x = (around[1:-1, 2:] - around[1:-1, :-2]) * np.float32(0.5)
    slope_y = (around[2:, 1:-1] - around[:-2, 1:-1]) * np.float32(0.5)
    lit = np.float32(1) - np.float32(light[0] / light[2]) * slope_x
    lit -= np.float32(light[1] / light[2]) * slope_y
    slope_x *= slope_x
    slope_y *= slope_y
    slope_x += slope_y
    slope_x += np.float32(1)
    lit /= np.sqrt(slope_x, out=slope_x)
    return np.asarray(np.maximum(lit, np.float32(0), out=lit), np.float32)
