"""Geometry of COCO boxes: x, y, width, height in pixels, origin at the top left. Several boxes are [N, 4]."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

Box = tuple[float, float, float, float]
"""x, y, width, height in pixels."""
Floats = NDArray[np.float64]


def iou(first: ArrayLike, second: ArrayLike) -> Floats:
    """Intersection over union of each of N boxes with each of M: [N, M], 0 to 1; boxes without area have 0."""
    one, other = _corners(first)[:, None], _corners(second)[None]
    shared = _area(np.maximum(one[..., :2], other[..., :2]), np.minimum(one[..., 2:], other[..., 2:]))
    union = _area(one[..., :2], one[..., 2:]) + _area(other[..., :2], other[..., 2:]) - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)


def suppress(boxes: ArrayLike, scores: ArrayLike, overlap: float) -> list[int]:
    """Non-maximum suppression: of boxes that overlap by more than `overlap` (IoU), keep the best.

    Returns:
        The indices of the kept boxes, best first; of equal scores, the earlier one.
    """
    every = np.asarray(boxes, np.float64).reshape(-1, 4)
    left = np.argsort(-np.asarray(scores, np.float64), kind="stable")
    kept: list[int] = []
    while left.size:
        best, left = int(left[0]), left[1:]
        kept.append(best)
        left = left[iou(every[best], every[left])[0] <= overlap]
    return kept


def within(boxes: ArrayLike, width: int, height: int) -> Floats:
    """The part of each box inside a picture of this size; a box without area for one that is outside."""
    corners = np.clip(_corners(boxes), 0, [width, height, width, height])
    return np.hstack([corners[:, :2], corners[:, 2:] - corners[:, :2]])


def covered(box: Box, others: Sequence[Box]) -> float:
    """Fraction of a box, 0 to 1, that the others cover together."""
    (frame,), parts = _corners(box), _corners(others)
    if _area(frame[:2], frame[2:]) <= 0 or not len(parts):
        return 0.0
    left, top, right, bottom = np.clip(parts, frame[[0, 1, 0, 1]], frame[[2, 3, 2, 3]]).T
    # The edges of all boxes cut the frame into cells, each of which is covered wholly or not at all.
    x, y = np.unique([*left, *right, frame[0], frame[2]]), np.unique([*top, *bottom, frame[1], frame[3]])
    across = (left[:, None] <= x[:-1]) & (x[1:] <= right[:, None])
    down = (top[:, None] <= y[:-1]) & (y[1:] <= bottom[:, None])
    cells = (down[:, :, None] & across[:, None, :]).any(axis=0)
    share = (np.outer(np.diff(y), np.diff(x)) * cells).sum() / _area(frame[:2], frame[2:])
    return min(float(share), 1.0)  # rounding may give a little more than 1


def match(expected: ArrayLike, found: ArrayLike, overlap: float) -> list[tuple[int, int]]:
    """Pair boxes one to one: as many pairs with an IoU of at least `overlap` as possible; of these, the highest IoU.

    Returns:
        (index into expected, index into found) of each pair, sorted by the first.
    """
    from scipy.optimize import linear_sum_assignment

    near = iou(expected, found)
    # One more pair outweighs the largest possible sum of IoU.
    worth = np.where(near >= overlap, 1 + min(near.shape) + near, 0)
    pairs = zip(*linear_sum_assignment(worth, maximize=True), strict=True)
    return [(int(one), int(other)) for one, other in pairs if near[one, other] >= overlap]


def _corners(boxes: ArrayLike) -> Floats:
    """x, y, width, height -> left, top, right, bottom."""
    every = np.asarray(boxes, np.float64).reshape(-1, 4)
    return np.hstack([every[:, :2], every[:, :2] + every[:, 2:]])


def _area(low: Floats, high: Floats) -> Floats:
    area: Floats = np.maximum(high - low, 0).prod(axis=-1)
    return area
