"""Measure outlines: torn lower ends, and thin parts."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

SIDE = 300
"""Size in pixels (root of the area) to which a larger object is scaled down before its outline is measured."""
SMOOTH = 0.035
"""Sigma of the smoothing that removes the tears from an outline, as a fraction of the object's size."""
LOWEST = 0.25
"""Fraction of the object's height that counts as its lower end."""
SOME, MOST = 40, 75
"""Percentiles of roughness: of the lower end, which a few feet do not raise; of the rest, which few parts exceed."""
GRID = 0.5
"""Roughness in pixels that every outline has, because it follows the grid of pixels."""

THIN_SIDE, THIN = 256, 0.05
"""Longest side in pixels at which thin parts are measured; half the width up to which a part is thin, per size."""


def thin_share(mask: NDArray[np.bool_]) -> float:
    """Fraction of an object's area in parts that are thin: twigs, strings, rims, remains of a torn cut.

    It is what a morphological opening removes. The size is the root of the object's area.
    """
    if not mask.any():
        return 0.0
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    solid = mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].astype(np.float32)
    scale = THIN_SIDE / max(solid.shape)
    if scale < 1:
        solid = cv2.resize(solid, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    radius = max(1, round(THIN * float(np.sqrt((solid >= 0.5).sum()))))
    whole = np.pad((solid >= 0.5).astype(np.uint8), radius)
    element = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    return 1 - float(cv2.morphologyEx(whole, cv2.MORPH_OPEN, element).sum() / max(1, whole.sum()))


def tear(mask: NDArray[np.bool_]) -> float:
    """How much rougher an object's outline is at its lower end than elsewhere, as a fraction of the object's size.

    Grass in front of an object makes its lower end rough, and nothing else.
    0 for fur (rough all around), for legs and corners (smooth in between) and for a good cut (smooth everywhere).
    Roughness is the distance of the outline from its smoothed version; size is the root of the object's area.
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
    from scipy.ndimage import gaussian_filter1d  # takes 0.25 s to import, see saliency.py

    smooth = gaussian_filter1d(outline, SMOOTH * size, axis=0, mode="wrap")
    roughness = np.hypot(*(outline - smooth).T)
    y = smooth[:, 1]
    lower = y >= y.max() - LOWEST * np.ptp(y)
    if lower.all():
        return 0.0
    elsewhere = max(GRID, float(np.percentile(roughness[~lower], MOST)))
    return max(0.0, float(np.percentile(roughness[lower], SOME)) - elsewhere) / size
