"""Random fields that repeat without a seam; every procedural ground and sky is made from them."""

from __future__ import annotations

from statistics import NormalDist

import cv2
import numpy as np
from numpy.typing import NDArray

Field = NDArray[np.float32]
"""float32 [H, W]."""

_STEPS = (np.arange(256) + 0.5) / 256
_NORMAL = np.array([NormalDist().inv_cdf(share) for share in _STEPS], np.float32)
"""Normally distributed values for a random byte."""
_PHASE = np.exp(2j * np.pi * _STEPS).astype(np.complex64)
"""Points of the unit circle for a random byte."""


def white(shape: tuple[int, int], rng: np.random.Generator) -> Field:
    """Independent values with a normal distribution: mean 0, standard deviation 1, 256 levels."""
    return _NORMAL[_random_bytes(shape, rng)]


def fractal(
    shape: tuple[int, int],
    rng: np.random.Generator,
    slope: float,
    *,
    stretch: tuple[float, float] = (1.0, 1.0),
    lowest: float = 0.0,
) -> Field:
    """Noise whose amplitude falls with frequency as 1/f^slope; mean 0, standard deviation 1, tileable.

    The spectrum is drawn directly: exact amplitudes, random phases.

    Args:
        shape: rows and columns; the number of columns is even.
        rng: source of the random phases.
        slope: 0 is white, 1 is rough ground or bark, 2 is soft clouds or wrinkles.
        stretch: how many times longer features are along (rows, columns).
        lowest: frequencies below this many cycles per tile are left out, so that its repetition does not show.
    """
    from scipy.fft import irfft2  # most commands do not need it

    rows, columns = shape
    down = np.fft.fftfreq(rows).astype(np.float32)[:, None] * np.float32(rows * stretch[0])
    across = np.fft.rfftfreq(columns).astype(np.float32)[None, :] * np.float32(columns * stretch[1])
    square = down**2 + across**2
    square[0, 0] = 1.0
    gain = cv2.pow(square, -slope / 2)
    gain[square <= lowest**2] = 0.0
    gain[0, 0] = 0.0
    gain[:, [0, -1]] *= np.float32(np.sqrt(2))  # of these columns, the inverse transform keeps half of the energy
    spectrum = _PHASE[_random_bytes(gain.shape, rng)]
    spectrum *= gain
    field: Field = irfft2(spectrum, s=shape, overwrite_x=True)
    return field * np.float32(np.sqrt(field.size) / cv2.norm(field))


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
    return np.maximum(lit, np.float32(0), out=lit)


def _random_bytes(shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.uint8]:
    return np.frombuffer(rng.bytes(int(np.prod(shape))), np.uint8).reshape(shape)
