"""Compare the colours of a cut-out with those of its photo's ground, and with the cut-outs of its siblings.

Siblings are the other photos of the same concept. Colours that only one photo shows rarely belong to the object: they
are grass that covers its foot, or a hand that holds it. Colours are counted in CIELAB, in BINS.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from builder.records import ColourCounts, Rgb

BINS = (8, 16, 16)
"""Number of bins of L*, a* and b*."""
SIDE = 256
"""Longest side of the object, in pixels, at which colours are counted."""
LOWEST, FOOT = 0.25, 0.33
"""Heights of the object's lowest part, and of the zone around its foot from which the ground's colours are taken, as
fractions of the object's height."""
NEAR = 2, 30
"""Distance in pixels from the object within which the ground's colours are taken."""
SMOOTH = 0.7
"""Standard deviation in bins of the smoothing, which tolerates different lighting."""
RATIO = 12
"""A colour is the ground's if it is more than this many times as frequent there as in any sibling."""
RARE = 1e-5
"""Frequency that is added to each, so that the ratio of very rare colours is near 1."""
UNUSUAL = 1e-3
"""Frequency below which a colour counts as missing in a sibling."""


def count_colours(photo: Rgb, mask: NDArray[np.bool_]) -> ColourCounts:
    """Count the colours of an object and of the ground around it.

    Args:
        photo: uint8 [H, W, 3].
        mask: bool [H, W], True on the object; not empty.
    """
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    scale = min(1.0, SIDE / (max(np.ptp(rows), np.ptp(columns)) + 1))
    reach = int(NEAR[1] / scale) + 1
    window = np.s_[max(0, rows[0] - reach) : rows[-1] + 1 + reach, max(0, columns[0] - reach) : columns[-1] + 1 + reach]
    small = cv2.resize(photo[window], None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    lab = cv2.cvtColor(small, cv2.COLOR_RGB2LAB)
    inside = cv2.resize(mask[window].astype(np.uint8) * 255, small.shape[1::-1], interpolation=cv2.INTER_AREA) >= 128
    lines = np.flatnonzero(inside.any(axis=1))
    if not lines.size:
        return np.zeros((3, *BINS), np.uint16)
    height = lines[-1] + 1 - lines[0]
    row = np.arange(len(inside))[:, None]
    around = _grown(inside, NEAR[1]) & ~_grown(inside, NEAR[0])
    parts = (
        inside,
        inside & (row > lines[-1] - max(1, int(LOWEST * height))),
        around & (row > lines[-1] - max(1, int(FOOT * height))),
    )
    return np.stack([_counted(lab[part]) for part in parts])


def carried_ground(own: ColourCounts, siblings: Sequence[ColourCounts]) -> float:
    """Fraction of an object's lowest part whose colours are the ground's and no sibling's, 0 to 1."""
    if not siblings:
        return 0.0
    usual = np.max([_frequencies(sibling[0]) for sibling in siblings], axis=0)
    foreign = _frequencies(own[2]) + RARE > RATIO * (usual + RARE)
    return float(own[1][foreign].sum() / max(1, own[1].sum()))


def unlikeness(own: ColourCounts, siblings: Sequence[ColourCounts]) -> float:
    """1 minus the intersection of an object's colours with those of its most similar sibling, 0 to 1."""
    if not siblings:
        return 0.0
    colours = _frequencies(own[0])
    return 1 - max(float(np.minimum(colours, _frequencies(sibling[0])).sum()) for sibling in siblings)


def intrusion(own: ColourCounts, siblings: Sequence[ColourCounts]) -> float:
    """Fraction of an object's lowest part whose colours most siblings do not show, 0 to 1; 0 with fewer than two.

    For objects that the photo's lower edge cuts off: there, an arm or a person that holds the object enters the photo.
    """
    if len(siblings) < 2:
        return 0.0
    usual = np.median([_frequencies(sibling[0]) for sibling in siblings], axis=0)
    return float(own[1][usual < UNUSUAL].sum() / max(1, own[1].sum()))


def _grown(mask: NDArray[np.bool_], reach: int) -> NDArray[np.bool_]:
    return np.asarray(cv2.dilate(mask.astype(np.uint8), np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)) > 0)


def _counted(colours: NDArray[np.uint8]) -> NDArray[np.uint16]:
    """ColourCounts of uint8 [N, 3] colours."""
    bins = colours.astype(np.intp) * BINS // 256
    flat = np.bincount(np.ravel_multi_index(tuple(bins.T), BINS), minlength=int(np.prod(BINS)))
    return np.minimum(flat, np.iinfo(np.uint16).max).astype(np.uint16).reshape(BINS)


def _frequencies(counts: NDArray[np.uint16]) -> NDArray[np.float64]:
    """Smoothed counts, which sum to 1."""
    from scipy.ndimage import gaussian_filter  # takes 0.25 s to import, see saliency.py

    smooth = gaussian_filter(counts.astype(np.float64), SMOOTH, mode="nearest")
    return np.asarray(smooth / max(1.0, smooth.sum()))
