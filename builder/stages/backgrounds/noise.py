"""Random fields that repeat without a seam; every procedural ground and sky is made from them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Field = NDArray[np.float32]
"""float32 [H, W]."""


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
        shape: rows and columns.
        rng: source of the random phases.
        slope: 0 is white, 1 is rough ground or bark, 2 is soft clouds or wrinkles.
        stretch: how many times longer features are along (rows, columns).
        lowest: frequencies below this many cycles per tile are left out, so that its repetition does not show.
    """
    rows, columns = shape
    down = np.fft.fftfreq(rows).astype(np.float32)[:, None] * rows * stretch[0]
    across = np.fft.rfftfreq(columns).astype(np.float32)[None, :] * columns * stretch[1]
    frequency = np.hypot(down, across)
    gain = np.where(frequency > lowest, np.maximum(frequency, 1e-3), np.float32(np.inf)) ** np.float32(-slope)
    gain[0, 0] = 0.0
    spectrum = np.fft.rfft2(rng.standard_normal(shape, np.float32)) * gain
    field = np.fft.irfft2(spectrum, s=shape, axes=(0, 1))
    return np.asarray(field / field.std(), np.float32)


def relief(height: Field, light: tuple[float, float, float]) -> Field:
    """Brightness of each point of a tileable height map, 1 where it is flat (Lambert's cosine law).

    Args:
        height: in pixels.
        light: towards the light: x to the right, y down the rows, z up out of the surface.
    """
    slope_x = (np.roll(height, -1, 1) - np.roll(height, 1, 1)) / 2
    slope_y = (np.roll(height, -1, 0) - np.roll(height, 1, 0)) / 2
    x, y, z = np.array(light, np.float32) / np.float32(light[2])
    lit = (z - x * slope_x - y * slope_y) / np.sqrt(slope_x**2 + slope_y**2 + 1)
    return np.asarray(np.maximum(lit, 0.0), np.float32)
