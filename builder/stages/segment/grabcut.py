"""GrabCut (Rother et al., SIGGRAPH 2004), the trimaps that it starts from, and clean-up of its masks to one object."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from builder.records import Rgb
from builder.stages.segment.saliency import Map, centre_prior

Mask = NDArray[np.bool_]
"""bool [H, W]."""
Trimap = NDArray[np.uint8]
"""uint8 [H, W] of cv2.GC_*: certain or probable background or foreground."""
COMPONENTS = 5
"""Gaussians of a colour model, as in OpenCV's GrabCut."""
SAMPLED = 1500
"""Approximate number of pixels from which a colour model is started; GrabCut then uses all of them."""


def grabcut(rgb: Rgb, trimap: Trimap, iterations: int) -> Mask:
    """The foreground that GrabCut finds.

    A trimap whose own foreground is empty or the whole picture leaves nothing to cut: that foreground is returned.
    """
    labels = trimap.copy()
    guess = _is_foreground(trimap)
    if not guess.any() or guess.all():
        return guess
    background, foreground = (_colours(rgb[side]) for side in (~guess, guess))
    cv2.grabCut(rgb, labels, None, background, foreground, iterations, cv2.GC_EVAL)
    return _is_foreground(labels)


def _colours(pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    """The mixture of Gaussians from which GrabCut starts, in OpenCV's layout: weights, means, covariances; [1, 65].

    OpenCV's own start runs k-means over all pixels, which takes as long as the cut.
    """
    sampled = pixels[:: max(1, len(pixels) // SAMPLED)].astype(np.float32)
    cv2.setRNGSeed(0)  # k-means draws from OpenCV's process-wide generator
    count = min(COMPONENTS, len(sampled))
    once = (cv2.TERM_CRITERIA_MAX_ITER, 5, 0.0)
    nearest = np.zeros((len(sampled), 1), np.int32)
    if len(sampled) > 1:  # OpenCV takes a single row for a column of samples
        _, nearest, _ = cv2.kmeans(sampled, count, None, once, 1, cv2.KMEANS_PP_CENTERS)
    model = np.zeros((COMPONENTS, 13))
    model[:, 4:] = np.eye(3).ravel()
    for row, own in zip(model, (sampled[nearest[:, 0] == i] for i in range(count)), strict=False):
        if len(own):
            offset = own - own.mean(axis=0)
            row[0], row[1:4] = len(own) / len(sampled), own.mean(axis=0)
            row[4:] = (np.einsum("ni,nj->ij", offset, offset) / len(own) + 0.01 * np.eye(3)).ravel()
    return np.concatenate([model[:, 0], model[:, 1:4].ravel(), model[:, 4:].ravel()])[None]


def centre_trimap(shape: tuple[int, ...], sigma: float) -> Trimap:
    """A trimap with an object of size `sigma` in the middle; it may be cut off at the bottom."""
    prior = centre_prior(shape, sigma)
    trimap = np.where(prior > 0.35, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    edge = max(2, int(0.03 * min(shape[:2])))
    trimap[:edge] = trimap[:, :edge] = trimap[:, -edge:] = cv2.GC_BGD
    trimap[prior > 0.93] = cv2.GC_FGD
    return trimap


def ellipse_trimap(mask: Mask) -> Trimap:
    """A trimap with an object in the ellipse that has the mask's moments."""
    rows, columns = np.nonzero(mask)
    y, x = np.indices(mask.shape)
    dy, dx = y - rows.mean(), x - columns.mean()
    # Adding 4 keeps the ellipse of a line from vanishing.
    yy, xx, yx = rows.var() + 4, columns.var() + 4, ((rows - rows.mean()) * (columns - columns.mean())).mean()
    distance = (xx * dy**2 - 2 * yx * dy * dx + yy * dx**2) / (xx * yy - yx**2)
    # A uniform ellipse ends at a squared Mahalanobis distance of 4.
    trimap = np.where(distance < 4.8, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    trimap[distance < 0.45] = cv2.GC_FGD
    edge = max(2, int(0.02 * min(mask.shape)))
    frame = np.ones(mask.shape, bool)
    frame[edge:, edge:-edge] = False
    trimap[(distance > 14) | (frame & (distance > 4))] = cv2.GC_BGD
    return trimap


def saliency_trimap(saliency: Map) -> Trimap:
    """A trimap with an object where the map is above Otsu's threshold; certain far from it, and at the frame."""
    threshold = cv2.threshold((saliency * 255).astype(np.uint8), 0, 255, cv2.THRESH_OTSU)[0] / 255
    trimap = np.where(saliency >= threshold, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    trimap[saliency >= threshold + 0.6 * (1 - threshold)] = cv2.GC_FGD
    trimap[saliency <= 0.35 * threshold] = cv2.GC_BGD
    edge = max(1, int(0.02 * min(saliency.shape)))
    frame = np.ones(saliency.shape, bool)
    frame[edge:-edge, edge:-edge] = False
    trimap[frame & (saliency < threshold)] = cv2.GC_BGD
    return trimap


def band_trimap(mask: Mask, radius: float) -> Trimap:
    """A trimap that equals the mask, except in an uncertain band of `radius` pixels to each side of its edge."""
    inside = cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, 3)
    outside = cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, 3)
    trimap = np.where(mask, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    # Parts thinner than the band stay probable foreground throughout.
    trimap[inside > radius] = cv2.GC_FGD
    trimap[outside > radius] = cv2.GC_BGD
    return trimap


def clean(mask: Mask, part: float = 0.15, hole: float = 0.03) -> Mask:
    """The mask without minor parts and small holes.

    part: smallest area of a part that is kept, as a fraction of the largest part's.
    hole: largest area of a hole that is filled, as a fraction of the mask's.
    """
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=4)
    if count <= 1:
        return mask
    area = stats[:, cv2.CC_STAT_AREA].copy()
    area[0] = 0
    return fill_holes((area >= part * area.max())[labels] & (labels > 0), hole)


def fill_holes(mask: Mask, share: float) -> Mask:
    """Fill each hole smaller than the fraction `share` of the mask; a gap that touches the frame is no hole."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats((~mask).astype(np.uint8), connectivity=4)
    height, width = mask.shape
    left, top, wide, high, area = stats.T[:5]
    enclosed = (left > 0) & (top > 0) & (left + wide < width) & (top + high < height)
    filled: Mask = mask | (enclosed & (area < share * mask.sum()))[labels]
    return filled


def prune(mask: Mask) -> Mask:
    """Remove parts that are joined by a thin neck and run along the photo's frame: ground, arms, curtains."""
    radius = max(2, round(0.018 * max(mask.shape)))
    opened = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_OPEN, disk(radius))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(opened, connectivity=4)
    if count <= 2:
        return clean(fill_holes(mask, 0.06), part=0.05)
    prior = centre_prior(mask.shape, sigma=0.3)
    area = stats[:, cv2.CC_STAT_AREA].astype(float)
    central = np.bincount(labels.ravel(), prior.ravel()) / area
    touch = np.array([frame_touch(labels == i) for i in range(count)])
    weight = area * central**1.5 / (1 + 2.5 * touch)
    main = 1 + int(weight[1:].argmax())
    drop = (touch > 0.25) & (area > 0.05 * area[main])
    drop[[0, main]] = False
    if not drop.any():
        return clean(fill_holes(mask, 0.06), part=0.05)
    return clean(fill_holes(mask & ~drop[_grow(labels, mask)], 0.06), part=0.12)


def frame_touch(part: Mask, band: float = 0.035) -> float:
    """Length of a part along the frame, relative to its size; the bottom counts least, left and right together most."""
    edge = max(2, int(band * max(part.shape)))
    left, right = part[:, :edge].any(axis=1).sum(), part[:, -edge:].any(axis=1).sum()
    top, bottom = part[:edge].any(axis=0).sum(), part[-edge:].any(axis=0).sum()
    touch = float(left + right + top + 0.25 * bottom) / (2 * float(np.sqrt(part.sum())) + 1)
    return touch + 1 if left and right else touch


def disk(radius: int) -> NDArray[np.uint8]:
    """A round structuring element."""
    element: NDArray[np.uint8] = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    return element


def _is_foreground(trimap: Trimap) -> Mask:
    return np.asarray((trimap == cv2.GC_FGD) | (trimap == cv2.GC_PR_FGD))


def _grow(labels: NDArray[np.int32], mask: Mask) -> NDArray[np.intp]:
    """Label of each mask pixel's nearest part, measured inside the mask; 0 where no part is connected."""
    grown = labels.astype(np.float32)
    while True:
        wider = np.where((grown == 0) & mask, cv2.dilate(grown, disk(1)), grown)
        if np.array_equal(wider, grown):
            return grown.astype(np.intp)
        grown = wider
