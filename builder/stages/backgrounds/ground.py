"""Estimate where the ground begins in a background photo, if its owner did not specify it."""

from __future__ import annotations

import cv2
import numpy as np

from builder.records import Rgb

HIGHEST, LOWEST = 0.55, 0.83
"""The estimated upper end of the ground is clipped to these rows, fractions of the height."""
HORIZON = 0.5
"""Lowest estimate of the horizon, a fraction of the height: photos with enough ground to stand on have it higher."""

_SIDE = 96
"""Width and height, in pixels, to which a photo is scaled for the estimate."""
_STRIP = 12
"""Rows at the bottom that are assumed to show only ground."""
_ALIKE = 7.0
"""Distance in CIELAB below which two colours count as one material; lightness has half weight because of shadows."""
_SUPPORT = 8
"""A pixel looks like ground if more than this many points of the strip have a similar colour."""
_SHARE = 0.6
"""Fraction of a row's middle that must look like ground for the row to be ground."""


def estimate_ground(pixels: Rgb) -> tuple[float, float]:
    """Estimate where a photo's ground ends: how far up its middle the colours of the bottom edge reach.

    Args:
        pixels: uint8 [H, W, 3].

    Returns:
        The horizon and the highest row on which an object may stand, fractions of the height. Both err towards the
        viewer: an object too near only looks large, one too far floats in front of a tree.
    """
    small = cv2.resize(pixels, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
    lab = cv2.cvtColor(small, cv2.COLOR_RGB2LAB).astype(np.float32) * np.array([0.5, 1, 1], np.float32)
    strip = lab[-_STRIP:].reshape(-1, 3)[::3]
    middle = lab[:, _SIDE // 6 : -_SIDE // 6]
    # One array for each channel: a sum over an axis of three numbers takes three times as long.
    first, second, third = ((middle[..., None, channel] - strip[:, channel]) ** 2 for channel in range(3))
    alike = np.count_nonzero(np.sqrt(first + (second + third)) < _ALIKE, axis=2) > _SUPPORT
    share = np.convolve(alike.mean(axis=1), np.full(5, 0.2), "same")
    other = np.flatnonzero(share[:-_STRIP] < _SHARE)
    end = (other[-1] + 1) / _SIDE if len(other) else 0.0
    ground = float(np.clip(end, HIGHEST, LOWEST))
    return min(HORIZON, ground - 0.2), ground
