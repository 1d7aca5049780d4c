"""TriCut: three guesses of where the object is, one GrabCut each, and what they agree on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from builder.records import Alpha, Rgb
from builder.segment import Matte
from builder.segment.grabcut import Mask, band_trimap, centre_trimap, clean, grabcut, prune, saliency_trimap
from builder.segment.saliency import LAB_OFFSET, Map, saliency, to_lab

SEARCH_SIDE = 256
"""Pixels of the longest side at which the object is searched."""
REFINE_SIDE = 512
"""Pixels of the object's longest side at which its edge is refined."""
WEIGHTS = {"centre": 1.5, "fused": 1.2, "barrier": 1.0}
"""How much each guess counts in the consensus."""


class TriCut:
    """The weight-free segmenter."""

    def matte(self, photos: Sequence[Rgb]) -> Iterator[Matte]:
        """One matte per photo, in order; see `builder.segment.Segmenter`."""
        return (self._matte(photo) for photo in photos)

    def _matte(self, photo: Rgb) -> Matte:
        small = shrink(photo, SEARCH_SIDE)
        guesses = _guesses(small)
        found = _agree(small, guesses)
        if not found.any() or found.all():
            return Matte(alpha=np.full(photo.shape[:2], found.any(), np.float32), quality=0.0)
        return Matte(alpha=_refine(photo, found), quality=trust(small, found, tuple(guesses.values())))


def shrink(image: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """The image with its longest side at most `side`, never enlarged."""
    height, width = image.shape[:2]
    scale = side / max(height, width)
    if scale >= 1:
        return image
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    smaller: NDArray[np.uint8] = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return smaller


def trust(rgb: Rgb, mask: Mask, guesses: Sequence[Mask]) -> float:
    """How far to trust a mask, 0 to 1.2: mean IoU with the guesses + 0.2 (1 - colour overlap with its surroundings).

    The overlap is the intersection of normalised 8x24x24 Lab histograms of the object and of a ring around it.
    """
    agreement = np.mean([(guess & mask).sum() / max(1, (guess | mask).sum()) for guess in guesses])
    reach = max(4, round(0.1 * max(mask.shape)))
    ring = cv2.dilate(mask.astype(np.uint8), np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)).astype(bool) & ~mask
    bins = ((to_lab(rgb) + LAB_OFFSET) * np.array([8 / 101, 24 / 256, 24 / 256], np.float32)).astype(int)
    codes = bins @ np.array([24 * 24, 24, 1])
    inner, outer = (np.bincount(codes[where], minlength=8 * 24 * 24) / max(1, where.sum()) for where in (mask, ring))
    return float(agreement + 0.2 * (1 - np.minimum(inner, outer).sum()))


def _guesses(rgb: Rgb) -> Mapping[str, Mask]:
    fused, barrier = saliency(rgb)
    trimaps = {
        "centre": centre_trimap(*rgb.shape[:2]),
        "fused": saliency_trimap(fused),
        "barrier": saliency_trimap(barrier),
    }
    return {name: clean(grabcut(rgb, trimap, iterations=3)) for name, trimap in trimaps.items()}


def _agree(rgb: Rgb, guesses: Mapping[str, Mask]) -> Mask:
    """One more GrabCut, sure where nearly all guesses agree."""
    votes = sum(WEIGHTS[name] * guess for name, guess in guesses.items()) / sum(WEIGHTS.values())
    votes = cv2.GaussianBlur(np.asarray(votes, np.float32), (0, 0), 1.5)
    trimap = np.where(votes >= 0.5, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    trimap[votes >= min(0.85, 0.97 * float(votes.max()))] = cv2.GC_FGD
    trimap[votes <= 0.12] = cv2.GC_BGD
    return prune(clean(grabcut(rgb, trimap, iterations=3)))


def _refine(photo: Rgb, found: Mask) -> Alpha:
    """The found object's edge, cut again at a finer size, then drawn along the photo's own edges."""
    height, width = photo.shape[:2]
    scale = max(height, width) / max(found.shape)
    top, bottom, left, right = _window(found, margin=0.06)
    window = np.s_[
        round(top * scale) : min(height, round(bottom * scale)), round(left * scale) : min(width, round(right * scale))
    ]
    crop = np.ascontiguousarray(shrink(np.ascontiguousarray(photo[window]), REFINE_SIDE))
    rough = resize(found[top:bottom, left:right], crop.shape) >= 0.5
    radius = max(2.0, 3.0 * crop.shape[0] / (bottom - top))
    cut = clean(grabcut(crop, band_trimap(rough, radius), iterations=1), part=0.05, hole=0.004)
    alpha = np.zeros((height, width), np.float32)
    alpha[window] = _follow_edges(photo[window], cut)
    return alpha


def _follow_edges(rgb: Rgb, mask: Mask) -> Map:
    """The mask at the photo's size, its edges drawn by a guided filter (He et al., PAMI 2013) if that is larger."""
    enlarged = resize(mask, rgb.shape)
    scale = rgb.shape[0] / mask.shape[0]
    if scale <= 1:
        return enlarged
    side = 2 * round(2 * scale) + 1
    guide = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY).astype(np.float32) / np.float32(255)

    def mean(values: Map) -> Map:
        blurred: Map = cv2.blur(values, (side, side))
        return blurred

    slope = (mean(guide * enlarged) - mean(guide) * mean(enlarged)) / (mean(guide**2) - mean(guide) ** 2 + 1e-3)
    offset = mean(enlarged) - slope * mean(guide)
    followed: Map = np.clip(mean(slope) * guide + mean(offset), 0, 1)
    return followed


def resize(mask: Mask, shape: tuple[int, ...]) -> Map:
    """The mask at another size, with values in between at its edge."""
    resized: Map = cv2.resize(mask.astype(np.float32), (shape[1], shape[0]), interpolation=cv2.INTER_LINEAR)
    return resized


def _window(mask: Mask, margin: float) -> tuple[int, int, int, int]:
    """Top, bottom, left, right of the mask's extent and a margin, as a share of the mask's longest side."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    pad = max(2, round(margin * max(mask.shape)))
    return (
        max(0, int(rows[0]) - pad),
        min(mask.shape[0], int(rows[-1]) + 1 + pad),
        max(0, int(columns[0]) - pad),
        min(mask.shape[1], int(columns[-1]) + 1 + pad),
    )
