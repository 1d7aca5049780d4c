"""Estimate an edge's alpha from the photo's colours: closed-form matting (Levin, Lischinski & Weiss, PAMI 2008)."""

from __future__ import annotations

import cv2
import numpy as np
from pymatting.alpha.estimate_alpha_cf import estimate_alpha_cf

from builder.records import Alpha, Rgb
from builder.stages.segment.grabcut import disk

SURE = 0.95
"""Alpha from which a pixel certainly shows only the object; up to 1 - SURE it certainly shows only background."""
BAND = 0.006
"""How far the region to solve extends beyond the uncertain pixels, as a fraction of the object's longest side."""
SIDE, UNKNOWN = 1024, 1 << 16
"""Limits on the work, about a second: longest side of the object in pixels, and number of unknown pixels."""
ITERATIONS, TOLERANCE = 500, 1e-5
"""Limits of the solver of the matting equation."""


def matted(rgb: Rgb, alpha: Alpha) -> Alpha:
    """Solve for the alpha along its edge, and set it to 0 or 1 elsewhere.

    The given alpha is returned if there is nothing to solve, or no solution. An object that is large, or has many
    uncertain pixels, is solved at a smaller size.
    """
    rows, columns = np.flatnonzero((alpha > 0).any(axis=1)), np.flatnonzero((alpha > 0).any(axis=0))
    if not rows.size:
        return alpha
    longest = int(max(np.ptp(rows), np.ptp(columns))) + 1
    pad = 2 + round(2 * BAND * longest)
    window = np.s_[max(0, rows[0] - pad) : rows[-1] + 1 + pad, max(0, columns[0] - pad) : columns[-1] + 1 + pad]
    around = alpha[window]
    height, width = map(int, around.shape)
    unknown = int(np.count_nonzero(_trimap(around, BAND * longest) == 0.5))
    scale = min(1.0, SIDE / max(height, width), float(np.sqrt(UNKNOWN / max(1, unknown))))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    trimap = _trimap(cv2.resize(around, size, interpolation=cv2.INTER_AREA), BAND * longest * scale)
    if len(np.unique(trimap)) < 3:
        return alpha
    picture = cv2.resize(rgb[window], size, interpolation=cv2.INTER_AREA) / 255
    try:
        solved = estimate_alpha_cf(picture, trimap, cg_kwargs={"maxiter": ITERATIONS, "rtol": TOLERANCE})
    except ValueError:  # the solver did not converge
        return alpha
    result = np.zeros_like(alpha)
    enlarged = cv2.resize(solved.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
    result[window] = np.clip(enlarged, 0, 1)
    return result


def _trimap(alpha: Alpha, radius: float) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """0 background, 1 object, 0.5 unknown."""
    element = disk(max(1, round(radius)))
    inside, outside = (cv2.erode(sure.astype(np.uint8), element) for sure in (alpha >= SURE, alpha <= 1 - SURE))
    return np.where(inside, 1.0, np.where(outside, 0.0, 0.5))
