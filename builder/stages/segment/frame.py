"""How a photo's frame affects its object: black bars beside the picture, and sides that are cut off."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from builder.records import Rgb

BLACK = 10
"""Highest level at which a pixel counts as black; JPEG adds a little noise to black bars."""
CUT_SHARE = 0.25
"""Fraction of an object's width that must be on the photo's lower edge for it to count as cut off there."""


def content(rgb: Rgb) -> tuple[slice, slice]:
    """Rows and columns of the photo without black letterbox bars; the whole photo if little would remain."""
    bright = np.maximum.reduce([rgb[..., channel] for channel in range(3)]) > BLACK  # rgb.max(axis=2) takes 25x as long
    rows, columns = (_without_bars(bright.mean(axis=axis)) for axis in (1, 0))
    return rows, columns


def _without_bars(bright: NDArray[np.float64]) -> slice:
    """From the first to the last line with more than a hundredth of bright pixels."""
    lines = np.flatnonzero(bright > 0.01)
    whole = slice(0, len(bright))
    if not lines.size or lines[-1] - lines[0] < 0.4 * len(bright):
        return whole
    # A bar's edge is blurred into the picture: a few more lines are removed with it.
    blur = 1 + len(bright) // 256
    first = lines[0] + blur if lines[0] > blur else 0
    last = lines[-1] + 1 - blur if lines[-1] + 1 < len(bright) - blur else len(bright)
    return slice(int(first), int(last))


def cut_off(mask: NDArray[np.bool_]) -> tuple[float, float]:
    """How much of an object's outline is on the frame: at the bottom, and at the other three sides together.

    Both are lengths, as fractions of the object's own size (the mean of its width and height).
    """
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not rows.size:
        return 0.0, 0.0
    size = (rows[-1] - rows[0] + columns[-1] - columns[0] + 2) / 2
    edge = 1 + max(mask.shape) // 256
    bottom = mask[-edge:].any(axis=0).sum()
    others = mask[:edge].any(axis=0).sum() + mask[:, :edge].any(axis=1).sum() + mask[:, -edge:].any(axis=1).sum()
    return float(bottom / size), float(others / size)


def ends_at_frame(mask: NDArray[np.bool_]) -> bool:
    """Whether the photo's lower edge cuts the object off, rather than just touching it."""
    width = int(np.count_nonzero(mask.any(axis=0)))
    return int(np.count_nonzero(mask[-2:].any(axis=0))) > CUT_SHARE * width
