"""The alpha of an edge from the photo's own colours: closed-form matting (Levin, Lischinski & Weiss, PAMI 2008)."""

from __future__ import annotations

import cv2
import numpy as np
from pymatting.alpha.estimate_alpha_cf import estimate_alpha_cf

from builder.records import Alpha, Rgb
from builder.segment.grabcut import disk

SIDE = 1024
"""Longest side in pixels at which an object is matted: what it takes grows faster than the number of pixels."""
SURE = 0.95
"""Alpha from which a pixel is the object's alone, and 1 minus that up to which it is the background's."""
BAND = 0.006
"""How far the edge's unsure band reaches beyond what is unsure already, as a share of the object's longest side."""
ITERATIONS, TOLERANCE = 500, 1e-5
"""Bounds on the solver of the matting equation."""


def matted(rgb: Rgb, alpha: Alpha) -> Alpha:
    """The alpha solved anew in a band around its edge; as it was where it is sure, and where there is no solution."""
    rows, columns = np.flatnonzero((alpha > 0).any(axis=1)), np.flatnonzero((alpha > 0).any(axis=0))
    longest = max(np.ptp(rows), np.ptp(columns)) + 1
    pad = 2 + round(2 * BAND * longest)
    window = np.s_[max(0, rows[0] - pad) : rows[-1] + 1 + pad, max(0, columns[0] - pad) : columns[-1] + 1 + pad]
    around = alpha[window]
    scale = min(1.0, SIDE / max(around.shape))
    size = tuple(max(1, round(length * scale)) for length in reversed(around.shape))
    trimap = _trimap(cv2.resize(around, size, interpolation=cv2.INTER_AREA), max(1, round(BAND * longest * scale)))
    if not {0.0, 0.5, 1.0} <= set(np.unique(trimap)):
        return alpha
    picture = cv2.resize(rgb[window], size, interpolation=cv2.INTER_AREA) / 255
    try:
        solved = estimate_alpha_cf(picture, trimap, cg_kwargs={"maxiter": ITERATIONS, "rtol": TOLERANCE})
    except ValueError:  # the solver did not get near enough
        return alpha
    result = alpha.copy()
    enlarged = cv2.resize(solved.astype(np.float32), around.shape[::-1], interpolation=cv2.INTER_LINEAR)
    result[window] = np.clip(enlarged, 0, 1)
    return result


def _trimap(alpha: Alpha, radius: int) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """0 background, 1 object, 0.5 unsure."""
    inside, outside = (cv2.erode(sure.astype(np.uint8), disk(radius)) for sure in (alpha >= SURE, alpha <= 1 - SURE))
    return np.where(inside, 1.0, np.where(outside, 0.0, 0.5))
