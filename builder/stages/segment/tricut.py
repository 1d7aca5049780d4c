"""TriCut: three guesses of where the object is, a GrabCut from each, and what they agree on.

The guesses are independent of each other: the middle of the photo, what stands out (fused saliency), and what is walled
off from the frame (minimum barrier). Then a second look, close up and in another colour space, starts from where the
object was found. Where the guesses and the second look lead to the same cut, it is probably the object. How far they
do, and how clearly the object ends where it was cut, is the segmenter's trust in itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from builder.records import Alpha, Rgb
from builder.stages.segment.base import Matte, Segmenter
from builder.stages.segment.grabcut import (
    Mask,
    band_trimap,
    centre_trimap,
    clean,
    ellipse_trimap,
    grabcut,
    prune,
    saliency_trimap,
)
from builder.stages.segment.saliency import LAB_OFFSET, Map, centred_barrier, saliency, to_lab

SEARCH_SIDE, CLOSE_SIDE, REFINE_SIDE = 256, 208, 512
"""Longest side in pixels: of the photo in which to search, of the surroundings close up, of the object at its edge."""
SURROUNDINGS, EDGE = 0.3, 0.06
"""How much around the object is looked at close up and when its edge is cut, as a share of its longest side."""
CENTRE_SIGMA = 0.28
WHOLE = {"centre": 2.4, "fused": 1.2, "barrier": 1.0}
"""How much each guess counts when the centre has the last word: finds objects of which only parts stand out."""
SALIENT = {"centre": 1.5, "fused": 1.2, "barrier": 1.0}
"""How much each guess counts when the other two together have it: leaves out ground and neighbours in the middle."""
BLIND = 0.3
"""IoU below which the barrier has not seen the object at all: on dark or blurred scenes nothing is walled off."""
AGREEMENT, CLEARNESS = 0.7, 0.3
"""How much counts in the trust that all lead to the same cut, and that the object ends clearly there."""
PREFERENCE = 0.07
"""By how much the salient agreement must be trusted more to be taken, since parts agree more easily than a whole."""

Window = tuple[slice, slice]
Masks = Mapping[str, Mask]


class TriCut(Segmenter):
    """The weight-free segmenter."""

    def matte(self, photos: Sequence[Rgb]) -> Iterator[Matte]:
        """One matte per photo, in order."""
        return (self._matte(photo) for photo in photos)

    def _matte(self, photo: Rgb) -> Matte:
        small = shrink(photo, SEARCH_SIDE)
        guesses = _guess(small)
        found = _agree(small, guesses, WHOLE)
        quality = _trust(photo, small, guesses, found)
        salient = _agree(small, guesses, SALIENT)
        if not np.array_equal(salient, found):
            trust = _trust(photo, small, guesses, salient)
            if trust > quality + PREFERENCE:
                found, quality = salient, trust
        if not found.any() or found.all():
            return Matte(alpha=np.full(photo.shape[:2], found.any(), np.float32), quality=0.0)
        return Matte(alpha=_refine(photo, found), quality=quality)


def _trust(photo: Rgb, small: Rgb, guesses: Masks, found: Mask) -> float:
    """How far to trust what was found, 0 to 1: 0.7 times its mean IoU with the witnesses + 0.3 (contrast - residue)."""
    if not found.any() or found.all():
        return 0.0
    # The barrier guess finds too few whole objects to witness for one; close up it does better, or sees nothing.
    ellipse, barrier = _second_look(photo, found)
    witnesses = [iou(guesses["centre"], found), iou(guesses["fused"], found), ellipse]
    if barrier >= BLIND:
        witnesses.append(barrier)
    clearness = contrast(small, found) - residue(small, found)
    return max(0.0, AGREEMENT * float(np.mean(witnesses)) + CLEARNESS * clearness)


def contrast(rgb: Rgb, mask: Mask) -> float:
    """How unlike its surroundings an object is: 1 - intersection of their normalised 8x24x24 Lab histograms.

    Its surroundings are what lies within a tenth of the photo's longest side.
    """
    reach = max(4, round(0.1 * max(mask.shape)))
    ring = cv2.dilate(mask.astype(np.uint8), np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)).astype(bool) & ~mask
    bins = ((to_lab(rgb) + LAB_OFFSET) * np.array([8 / 101, 24 / 256, 24 / 256], np.float32)).astype(int)
    codes = bins @ np.array([24 * 24, 24, 1])
    inner, outer = (np.bincount(codes[where], minlength=8 * 24 * 24) / max(1, where.sum()) for where in (mask, ring))
    return float(1 - np.minimum(inner, outer).sum())


def residue(rgb: Rgb, mask: Mask) -> float:
    """How much of what lies beside an object lies nowhere further out, 0 to 1: probably a part that was left out.

    With the root of the object's area as the unit, that is the share of pixels in a band of 0.06 beside it with fewer
    than ten pixels of about 1500 sampled between 0.15 and 1.2 that are within 6 of them in Lab.
    """
    unit = float(np.sqrt(mask.sum()))
    away = cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, 5)
    lab = cv2.GaussianBlur(to_lab(rgb), (0, 0), 1)
    # Nearer than 3 pixels the object's own colours bleed into the blur.
    near = max(3.0, 0.02 * unit)
    beside = lab[(away > near) & (away <= near + max(2.0, 0.06 * unit))]
    surroundings = lab[(away > 0.15 * unit) & (away < 1.2 * unit)]
    if not len(beside) or len(surroundings) < 10:
        return 0.0
    sampled = surroundings[:: max(1, len(surroundings) // 1500)]
    tenth, _ = cKDTree(sampled).query(beside, k=[10])
    return float(np.mean(tenth > 6))


def iou(one: Mask, other: Mask) -> float:
    """Intersection over union; 0 of two empty masks."""
    return float((one & other).sum() / max(1, (one | other).sum()))


def _guess(rgb: Rgb) -> Masks:
    fused, barrier = saliency(rgb)
    trimaps = {
        "centre": centre_trimap(rgb.shape, CENTRE_SIGMA),
        "fused": saliency_trimap(fused),
        "barrier": saliency_trimap(barrier),
    }
    return {name: clean(grabcut(rgb, trimap, iterations=3)) for name, trimap in trimaps.items()}


def _agree(rgb: Rgb, guesses: Masks, weights: Mapping[str, float]) -> Mask:
    """One more GrabCut, sure where nearly all guesses agree."""
    votes = np.zeros(rgb.shape[:2], np.float32)
    for name, guess in guesses.items():
        votes += np.float32(weights[name] / sum(weights.values())) * guess
    votes = cv2.GaussianBlur(votes, (0, 0), 1.5)
    trimap = np.where(votes >= 0.5, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    trimap[votes >= min(0.85, 0.97 * float(votes.max()))] = cv2.GC_FGD
    trimap[votes <= 0.12] = cv2.GC_BGD
    return prune(clean(grabcut(rgb, trimap, iterations=3)))


def _second_look(photo: Rgb, found: Mask) -> tuple[float, float]:
    """IoU of the found object with two cuts of its surroundings: from its ellipse, and from what is walled off there.

    In Lab, where the first look was in RGB: a cut that hangs on one colour space is a weak one.
    """
    window = _around(found, photo.shape, SURROUNDINGS)
    close = shrink(photo[window], CLOSE_SIDE)
    object_close = _crop(found, window, photo.shape, close.shape)
    if not object_close.any():
        return 0.0, 0.0
    lab = cv2.cvtColor(close, cv2.COLOR_RGB2LAB)
    trimaps = (ellipse_trimap(object_close), saliency_trimap(centred_barrier(close)))
    ellipse, barrier = (iou(clean(grabcut(lab, trimap, iterations=3)), object_close) for trimap in trimaps)
    return ellipse, barrier


def _refine(photo: Rgb, found: Mask) -> Alpha:
    """The object's edge, cut again at a finer size, then drawn along the photo's own edges."""
    window = _around(found, photo.shape, EDGE)
    crop = shrink(photo[window], REFINE_SIDE)
    rough = _crop(found, window, photo.shape, crop.shape)
    radius = max(2.0, 0.012 * max(crop.shape))
    cut = clean(grabcut(crop, band_trimap(rough, radius), iterations=1), part=0.05, hole=0.004)
    alpha = np.zeros(photo.shape[:2], np.float32)
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


def shrink(image: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """The image with its longest side at most `side`, never enlarged."""
    height, width = image.shape[:2]
    scale = side / max(height, width)
    if scale >= 1:
        return np.ascontiguousarray(image)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    smaller: NDArray[np.uint8] = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return smaller


def resize(mask: Mask, shape: tuple[int, ...]) -> Map:
    """The mask at another size, with values in between at its edge."""
    resized: Map = cv2.resize(mask.astype(np.float32), (shape[1], shape[0]), interpolation=cv2.INTER_LINEAR)
    return resized


def _around(mask: Mask, shape: tuple[int, ...], margin: float) -> Window:
    """The object's extent in an image of this shape, with a margin as a share of its longest side."""
    extents = [np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0)]
    pad = 2 + margin * max(int(np.ptp(extent)) + 1 for extent in extents)
    rows, columns = (
        slice(
            max(0, int((extent[0] - pad) * length / small)),
            min(length, int(np.ceil((extent[-1] + 1 + pad) * length / small))),
        )
        for extent, length, small in zip(extents, shape, mask.shape, strict=False)
    )
    return rows, columns


def _crop(mask: Mask, window: Window, shape: tuple[int, ...], size: tuple[int, ...]) -> Mask:
    """What a mask of an image of this shape says of a window of the image, at another size."""
    return resize(resize(mask, shape)[window] >= 0.5, size) >= 0.5
