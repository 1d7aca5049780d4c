"""Turn a mask into pixels that can be pasted anywhere: a soft edge in the object's own colours."""

from __future__ import annotations

import cv2
import numpy as np

from builder.records import Alpha, Rgb, Rgba

MARGIN = 4
"""Transparent pixels around a cropped cut-out."""
INSET, FEATHER = 1.0, 1.2
"""Pixels by which the edge moves inwards, and the sigma of its blur, for a cut-out of 512 pixels."""


def crop(rgb: Rgb, alpha: Alpha, side: int, cut_off: bool = False) -> Rgba:
    """The object alone: cropped to its alpha with a transparent margin, longest side at most `side`, straight alpha.

    cut_off: whether the photo's lower edge cuts the object off; it then gets no margin there and keeps its hard edge.
    """
    rows, columns = np.flatnonzero((alpha > 0).any(axis=1)), np.flatnonzero((alpha > 0).any(axis=0))
    inside = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    colour, opacity = rgb[inside], alpha[inside]
    room = max(1, side - 2 * MARGIN)
    scale = room / max(opacity.shape)
    if scale < 1:
        colour, opacity = _shrink(colour, opacity, scale)
    cut = np.dstack([colour, np.rint(opacity * 255).astype(np.uint8)])
    # Colours continue under the transparent margin, so that interpolation at the edge never mixes in black.
    margins = (MARGIN, 0 if cut_off else MARGIN, MARGIN, MARGIN)
    padded: Rgba = cv2.copyMakeBorder(cut, *margins, cv2.BORDER_REPLICATE)
    padded[..., 3] = cv2.copyMakeBorder(cut[..., 3], *margins, cv2.BORDER_CONSTANT, value=0)
    return padded


def feather(rgba: Rgba) -> Rgba:
    """The cut-out with its edge moved a little inwards and softened, so that no line of the old background shows.

    Where the object reaches the picture's border, it has no outline and stays as it is.
    """
    scale = max(1.0, max(rgba.shape) / 512)
    solid = rgba[..., 3].astype(np.float32) / np.float32(255)
    shape = 2 * round(INSET * scale) + 1
    element = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (shape, shape))
    inset = cv2.erode(solid, element)
    # Never outside the old edge: there the photo shows only background.
    alpha = np.minimum(cv2.GaussianBlur(inset, (0, 0), FEATHER * scale), solid)
    # The lens blurs the edge in the photo itself, so only pixels deeper inside are certainly unmixed.
    unmixed = cv2.GaussianBlur(cv2.erode(inset, element, iterations=2), (0, 0), FEATHER * scale)
    colour = foreground(rgba[..., :3], np.minimum(unmixed, inset))
    return np.dstack([colour, np.rint(alpha * 255).astype(np.uint8)])


def foreground(rgb: Rgb, trusted: Alpha) -> Rgb:
    """The object's own colours, also where its pixels mix with the background.

    Normalised convolution (Knutsson & Westin, CVPR 1993): a pixel that is not trusted takes the mean colour of the
    trusted ones around it, near ones before far ones. Solving the matting equation for the foreground instead would
    overshoot to black or white wherever alpha is a little wrong, and an inset alpha is wrong on purpose.

    Args:
        rgb: uint8 [H, W, 3].
        trusted: float32 [H, W], 1 where a pixel shows the object alone, 0 where it may show nothing of it.
    """
    trusted = np.clip(2 * trusted - 1, 0, 1)  # a half-trusted pixel is half background
    windows = []
    for width in (91, 31, 9):
        near = cv2.blur(trusted, (width, width))
        sure = np.minimum(near * width, 1)  # one row of trusted pixels in the window is enough
        windows.append((width, near + np.float32(1e-6), sure, 1 - sure))
    mixed = np.empty_like(rgb)
    for channel in range(3):  # NumPy is slow where the last axis has three values
        weighted = rgb[..., channel] * trusted
        estimate = weighted
        for width, near, sure, unsure in windows:
            mean = cv2.blur(weighted, (width, width)) / near
            estimate = mean if width == 91 else sure * mean + unsure * estimate
        mixed[..., channel] = np.rint(weighted + (1 - trusted) * estimate)
    return mixed


def _shrink(rgb: Rgb, alpha: Alpha, scale: float) -> tuple[Rgb, Alpha]:
    """Scale both down; colours are weighted by alpha, so that hidden ones do not bleed into the edge."""
    size = tuple(max(1, round(length * scale)) for length in reversed(alpha.shape))
    smaller: Alpha = cv2.resize(alpha, size, interpolation=cv2.INTER_AREA)
    # The small extra weight keeps a colour where nothing is visible.
    weight = alpha[..., None] + np.float32(1e-3)
    total = cv2.resize(weight, size, interpolation=cv2.INTER_AREA)[..., None]
    colour = cv2.resize(rgb * weight, size, interpolation=cv2.INTER_AREA) / total
    return np.rint(np.clip(colour, 0, 255)).astype(np.uint8), np.clip(smaller, 0, 1)
