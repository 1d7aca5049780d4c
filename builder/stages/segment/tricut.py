"""TriCut: three independent guesses of where the object is, a GrabCut from each, and a final cut where they agree.

The guesses are the middle of the photo, what stands out (fused saliency), and what a barrier separates from the frame
(minimum barrier distance). Then a second look, close up and in another colour space, starts from the object that was
found. If the guesses and the second look lead to the same cut, it is probably the object. The quality of a matte is
how well they agree, and how clearly the object differs from its surroundings at the cut.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from builder.records import Alpha, Rgb
from builder.stages.segment.base import Matte, Segmenter
from builder.stages.segment.calibration import calibration
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
from mycanvas.io.config_table import Table

CENTRE_SIDE, SALIENCY_SIDE, SEARCH_SIDE = 160, 192, 224
"""Longest side of the photo in pixels for the centre guess, for the saliency maps, and for everything else."""
CLOSE_SIDE, REFINE_SIDE = 156, 400
"""Longest side in pixels of the close-up, and of the object whose edge is refined."""
SURROUNDINGS, EDGE = 0.3, 0.06
"""Margin around the object in the close-up, and when its edge is refined, as fractions of its longest side."""
CENTRE_SIGMA = 0.28
"""Assumed size of the object for the centre guess, as a fraction of each side of the photo."""
BAND = 0.02
"""Half the width of the band in which an edge is refined, as a fraction of the object's longest side."""
WHOLE = {"centre": 2.4, "fused": 1.2, "barrier": 1.0}
"""Weights of the guesses with which the centre decides: these find objects of which only parts stand out."""
SALIENT = {"centre": 1.5, "fused": 1.2, "barrier": 1.0}
"""Weights with which the other two together decide: these leave out ground and other objects in the middle."""
BLIND = 0.3
"""IoU below which the barrier guess has missed the object: dark or blurred photos have no barriers."""
AGREEMENT, CLEARNESS = 0.7, 0.3
"""Weights, in the quality, of the agreement between the cuts and of the object's clear end at its edge."""
PREFERENCE = 0.03
"""Quality by which the SALIENT cut must exceed the WHOLE one to be used: parts agree more easily than a whole."""
SAME = 0.97
"""IoU from which the WHOLE cut and the SALIENT cut count as the same."""

Window = tuple[slice, slice]
Masks = Mapping[str, Mask]


class TriCut(Segmenter):
    """The weight-free segmenter."""

    @staticmethod
    def min_quality(config: Table) -> float:  # noqa: ARG004 - it has no settings
        """The quality from which its cut-outs are used."""
        return calibration("tricut").min_quality

    @staticmethod
    def unlike_weight(config: Table) -> float:  # noqa: ARG004 - it has no settings
        """Quality lost per unit of unlikeness to its siblings."""
        return calibration("tricut").unlike

    def matte(self, photos: Sequence[Rgb]) -> Iterator[Matte]:
        """One matte per photo, in order."""
        return (self._matte(photo) for photo in photos)

    def _matte(self, photo: Rgb) -> Matte:
        small = shrink(photo, SEARCH_SIDE)
        guesses = _guess(small)
        whole, salient = (_agree(small, guesses, weights) for weights in (WHOLE, SALIENT))
        found, quality = whole, _quality(photo, small, guesses, whole)
        if iou(whole, salient) < SAME:
            salient_quality = _quality(photo, small, guesses, salient)
            if salient_quality > quality + PREFERENCE:
                found, quality = salient, salient_quality
        if not found.any() or found.all():
            return Matte(alpha=np.full(photo.shape[:2], found.any(), np.float32), quality=0.0)
        return Matte(alpha=_refine(photo, found), quality=quality)


def _quality(photo: Rgb, small: Rgb, guesses: Masks, found: Mask) -> float:
    """Quality of a cut, 0 to 1: 0.7 times its mean IoU with other cuts (witnesses) + 0.3 (contrast - residue)."""
    if not found.any() or found.all():
        return 0.0
    # The barrier guess rarely finds a whole object, so it is no witness; close up it does better or finds nothing.
    ellipse, barrier = _second_look(photo, found)
    witnesses = [iou(guesses["centre"], found), iou(guesses["fused"], found), ellipse]
    if barrier >= BLIND:
        witnesses.append(barrier)
    clearness = contrast(small, found) - residue(small, found)
    return max(0.0, AGREEMENT * float(np.mean(witnesses)) + CLEARNESS * clearness)


def contrast(rgb: Rgb, mask: Mask) -> float:
    """Colour difference of an object and its surroundings: 1 - intersection of their normalised 8x24x24 Lab histograms.

    The surroundings are the pixels within a tenth of the photo's longest side.
    """
    reach = max(4, round(0.1 * max(mask.shape)))
    ring = cv2.dilate(mask.astype(np.uint8), np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)).astype(bool) & ~mask
    bins = ((to_lab(rgb) + LAB_OFFSET) * np.array([8 / 101, 24 / 256, 24 / 256], np.float32)).astype(int)
    codes = bins @ np.array([24 * 24, 24, 1])
    inner, outer = (np.bincount(codes[where], minlength=8 * 24 * 24) / max(1, where.sum()) for where in (mask, ring))
    return float(1 - np.minimum(inner, outer).sum())


def residue(rgb: Rgb, mask: Mask) -> float:
    """Fraction of the pixels beside an object that are unlike any further out, 0 to 1: probably missing parts of it.

    Distances are in units of the root of the object's area. The pixels are those of a band 0.06 wide beside the object.
    One is counted if fewer than ten of about 1500 pixels, sampled between 0.15 and 1.2, are within 6 of it in Lab.
    """
    from scipy.spatial import cKDTree  # takes 0.2 s to import, see saliency.py

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
    middle = shrink(rgb, CENTRE_SIDE)
    centre = clean(grabcut(middle, centre_trimap(middle.shape, CENTRE_SIGMA), iterations=2))
    fused, barrier = (_enlarge(cue, rgb.shape) for cue in saliency(shrink(rgb, SALIENCY_SIDE)))
    return {
        "centre": resize(centre, rgb.shape) >= 0.5,
        "fused": clean(grabcut(rgb, saliency_trimap(fused), iterations=1)),
        "barrier": clean(grabcut(rgb, saliency_trimap(barrier), iterations=1)),
    }


def _agree(rgb: Rgb, guesses: Masks, weights: Mapping[str, float]) -> Mask:
    """The object on which the guesses agree: one more GrabCut, with fixed labels where nearly all agree."""
    votes = np.zeros(rgb.shape[:2], np.float32)
    for name, guess in guesses.items():
        votes += np.float32(weights[name] / sum(weights.values())) * guess
    votes = cv2.GaussianBlur(votes, (0, 0), 1.1)
    trimap = np.where(votes >= 0.5, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    trimap[votes >= min(0.85, 0.97 * float(votes.max()))] = cv2.GC_FGD
    trimap[votes <= 0.12] = cv2.GC_BGD
    return prune(clean(grabcut(rgb, trimap, iterations=2)))


def _second_look(photo: Rgb, found: Mask) -> tuple[float, float]:
    """IoU of the found object with two close-up cuts: one starts from its ellipse, one from the barriers around it.

    They use Lab, while the first look used RGB: a cut that depends on one colour space is a weak one.
    """
    window = _around(found, photo.shape, SURROUNDINGS)
    close = shrink(photo[window], CLOSE_SIDE)
    object_close = _crop(found, window, photo.shape, close.shape)
    if not object_close.any():
        return 0.0, 0.0
    lab = cv2.cvtColor(close, cv2.COLOR_RGB2LAB)
    trimaps = (ellipse_trimap(object_close), saliency_trimap(centred_barrier(close)))
    ellipse, barrier = (iou(clean(grabcut(lab, trimap, iterations=1)), object_close) for trimap in trimaps)
    return ellipse, barrier


def _refine(photo: Rgb, found: Mask) -> Alpha:
    """Cut the object's edge again at a finer size, then align it with the photo's own edges."""
    window = _around(found, photo.shape, EDGE)
    crop = shrink(photo[window], REFINE_SIDE)
    rough = _crop(found, window, photo.shape, crop.shape)
    radius = max(2.0, BAND * max(crop.shape))
    cut = clean(grabcut(crop, band_trimap(rough, radius), iterations=1), part=0.05, hole=0.004)
    alpha = np.zeros(photo.shape[:2], np.float32)
    alpha[window] = _follow_edges(photo[window], cut)
    return alpha


def _follow_edges(rgb: Rgb, mask: Mask) -> Map:
    """The mask at the photo's size; if that is larger, a guided filter aligns its edges (He et al., PAMI 2013)."""
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
    """Scale the image down until its longest side is at most `side`; never enlarge it."""
    height, width = image.shape[:2]
    scale = side / max(height, width)
    if scale >= 1:
        return np.ascontiguousarray(image)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    smaller: NDArray[np.uint8] = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return smaller


def resize(mask: Mask, shape: tuple[int, ...]) -> Map:
    """The mask at another size, float32 in [0, 1], with values in between at its edge."""
    return _enlarge(mask.astype(np.float32), shape)


def _enlarge(values: Map, shape: tuple[int, ...]) -> Map:
    resized: Map = cv2.resize(values, (shape[1], shape[0]), interpolation=cv2.INTER_LINEAR)
    return resized


def _around(mask: Mask, shape: tuple[int, ...], margin: float) -> Window:
    """The object's bounding window in an image of this shape; margin: a fraction of the object's longest side."""
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
    """The part of a mask inside a window of an image of this shape, at another size."""
    steps = [(part.stop - part.start) / length for part, length in zip(window, size, strict=False)]
    scales = [small / length for small, length in zip(mask.shape, shape, strict=False)]
    (y, dy), (x, dx) = (
        ((part.start + step / 2) * scale - 0.5, step * scale)
        for part, step, scale in zip(window, steps, scales, strict=True)
    )
    to_mask = np.array([[dx, 0, x], [0, dy, y]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    cropped = cv2.warpAffine(
        mask.astype(np.float32), to_mask, (size[1], size[0]), flags=flags, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(cropped >= 0.5)
