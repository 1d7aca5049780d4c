"""From a mask to pixels that can be pasted anywhere: a soft edge in the object's own colours."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from builder.records import Alpha, Rgb, Rgba

MARGIN = 4
"""Transparent pixels around a cropped cut-out."""
INSET, FEATHER = 1.0, 1.2
"""Pixels by which the edge moves inwards, and the sigma of its blur, for a cut-out of 512 pixels."""


def crop(rgb: Rgb, alpha: Alpha, side: int) -> Rgba:
    """The object alone: cropped to its alpha with a transparent margin, longest side at most `side`, straight alpha."""
    rows, columns = np.flatnonzero((alpha > 0).any(axis=1)), np.flatnonzero((alpha > 0).any(axis=0))
    inside = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    colour, opacity = rgb[inside], alpha[inside]
    room = max(1, side - 2 * MARGIN)
    scale = room / max(opacity.shape)
    if scale < 1:
        colour, opacity = _shrink(colour, opacity, scale)
    cut = np.dstack([colour, np.rint(opacity * 255).astype(np.uint8)])
    # Colour goes on under the transparent margin: who interpolates at the edge meets the object's colour, not black.
    padded: Rgba = cv2.copyMakeBorder(cut, MARGIN, MARGIN, MARGIN, MARGIN, cv2.BORDER_REPLICATE)
    hidden = np.ones(padded.shape[:2], bool)
    hidden[MARGIN:-MARGIN, MARGIN:-MARGIN] = False
    padded[hidden, 3] = 0
    return padded


def feather(rgba: Rgba) -> Rgba:
    """The cut-out with its edge moved a little inwards and softened, lest it show a line of the old background."""
    scale = max(1.0, max(rgba.shape) / 512)
    solid = rgba[..., 3].astype(np.float32) / np.float32(255)
    shape = 2 * round(INSET * scale) + 1
    element = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (shape, shape))
    inset = cv2.erode(solid, element)
    # Never outside the old edge: there the photo holds only background.
    alpha = np.minimum(cv2.GaussianBlur(inset, (0, 0), FEATHER * scale), solid)
    # Lenses blur the photo's own edge, so only what lies deeper is sure to be unmixed.
    unmixed = cv2.GaussianBlur(cv2.erode(inset, element), (0, 0), FEATHER * scale)
    colour = foreground(rgba[..., :3], np.minimum(unmixed, inset))
    return np.dstack([colour, np.rint(alpha * 255).astype(np.uint8)])


def foreground(rgb: Rgb, alpha: Alpha) -> Rgb:
    """The object's own colours wherever it mixes with its background.

    Blur fusion, applied twice with a wide and a narrow window (Forte & Germer, "Approximate Fast Foreground Colour
    Estimation", ICIP 2021, section 3): a pixel's foreground is a local mean of the foreground, corrected so that
    compositing over the local mean of the background gives the photo again.
    """
    photo = rgb.astype(np.float32) / np.float32(255)
    opacity = alpha[..., None]
    front, back = photo, photo
    for width in (90, 6):
        near = cv2.blur(alpha, (width, width))[..., None]
        mean_front = cv2.blur(front * opacity, (width, width)) / (near + np.float32(1e-5))
        back = cv2.blur(back * (1 - opacity), (width, width)) / (1 - near + np.float32(1e-5))
        front = np.clip(mean_front + opacity * (photo - opacity * mean_front - (1 - opacity) * back), 0, 1)
    estimated: NDArray[np.float32] = np.where(opacity < 1, front, photo)
    return np.rint(estimated * 255).astype(np.uint8)


def _shrink(rgb: Rgb, alpha: Alpha, scale: float) -> tuple[Rgb, Alpha]:
    """Both at a smaller size; colours weighted by alpha, so that hidden ones do not bleed into the edge."""
    size = tuple(max(1, round(length * scale)) for length in reversed(alpha.shape))
    smaller: Alpha = cv2.resize(alpha, size, interpolation=cv2.INTER_AREA)
    # The small weight keeps a colour where nothing is visible.
    weight = alpha[..., None] + np.float32(1e-3)
    total = cv2.resize(weight, size, interpolation=cv2.INTER_AREA)[..., None]
    colour = cv2.resize(rgb * weight, size, interpolation=cv2.INTER_AREA) / total
    return np.rint(np.clip(colour, 0, 255)).astype(np.uint8), np.clip(smaller, 0, 1)
