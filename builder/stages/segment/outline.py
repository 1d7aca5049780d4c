"""What an object's outline says of its cut: grass in front of an object tears it below, and nowhere else."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

SIDE = 300
"""Size in pixels, as the root of its area, at which a larger object's outline is measured."""
SMOOTH = 0.035
"""Sigma of the smoothing that a torn outline does not survive, as a share of the object's size."""
LOWEST = 0.25
"""How much of the object's height counts as its lower end."""
SOME, MOST = 40, 75
"""Percentiles of roughness: the lower end's, which a few feet do not raise, and the rest's, which few parts exceed."""
GRID = 0.5
"""Roughness in pixels that any outline has: it was drawn on a grid."""


def tear(mask: NDArray[np.bool_]) -> float:
    """By how much an object's outline is rougher at its lower end than elsewhere, as a share of the object's size.

    Fur is rough all around, legs and corners are smooth in between, and what is cut well is smooth everywhere: all 0.
    Roughness is the distance of an outline from itself smoothed; size is the root of the object's area.
    """
    if not mask.any():
        return 0.0
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    solid = mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].astype(np.float32)
    size = float(np.sqrt(solid.sum()))
    if size > SIDE:
        solid = cv2.resize(solid, None, fx=SIDE / size, fy=SIDE / size, interpolation=cv2.INTER_AREA)
        size = SIDE
    outlines, _ = cv2.findContours((solid >= 0.5).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    outline = max(outlines, key=cv2.contourArea, default=np.zeros((0, 1, 2)))[:, 0].astype(np.float64)
    if len(outline) < 2:
        return 0.0
    smooth = gaussian_filter1d(outline, SMOOTH * size, axis=0, mode="wrap")
    roughness = np.hypot(*(outline - smooth).T)
    y = smooth[:, 1]
    lower = y >= y.max() - LOWEST * np.ptp(y)
    if lower.all():
        return 0.0
    elsewhere = max(GRID, float(np.percentile(roughness[~lower], MOST)))
    return max(0.0, float(np.percentile(roughness[lower], SOME)) - elsewhere) / size
