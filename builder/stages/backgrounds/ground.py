"""Where in a photo can something stand? An estimate, for photos whose owner did not say."""

from __future__ import annotations

import cv2
import numpy as np

from builder.records import Rgb

HIGHEST, LOWEST = 0.55, 0.83
"""The ground of a photo is taken to end between these rows, fractions of the height, whatever it looks like."""
HORIZON = 0.5
"""Where photographers put the horizon at the lowest, when there is ground enough to stand on."""

_SIDE = 96
_STRIP = 12
"""Rows at the bottom that are taken to show nothing but ground."""
_ALIKE = 7.0
"""Distance in CIELAB below which colours are of one material; lightness counts half, as shadows lie on any ground."""
_SUPPORT = 8
"""As many points of the strip must have a colour for it to be the ground's."""
_SHARE = 0.6
"""Of the middle of a row must look like ground for it to be ground."""


def estimate_ground(pixels: Rgb) -> tuple[float, float]:
    """Where a photo's ground ends, judged by how far up the colours of its bottom edge reach in its middle.

    Args:
        pixels: uint8 [H, W, 3].

    Returns:
        The horizon and the highest row on which an object may stand, fractions of the height. Both lean towards the
        viewer: an object too near looks large, one too far hovers before a tree.
    """
    small = cv2.resize(pixels, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
    lab = cv2.cvtColor(small, cv2.COLOR_RGB2LAB).astype(np.float32) * np.array([0.5, 1, 1], np.float32)
    strip = lab[-_STRIP:].reshape(-1, 3)[::3]
    middle = lab[:, _SIDE // 6 : -_SIDE // 6]
    distances = np.linalg.norm(middle[:, :, None] - strip, axis=3)
    alike = np.partition(distances, _SUPPORT, axis=2)[:, :, _SUPPORT] < _ALIKE
    share = np.convolve(alike.mean(axis=1), np.full(5, 0.2), "same")
    other = np.flatnonzero(share[:-_STRIP] < _SHARE)
    end = (other[-1] + 1) / _SIDE if len(other) else 0.0
    ground = float(np.clip(end, HIGHEST, LOWEST))
    return min(HORIZON, ground - 0.2), ground
