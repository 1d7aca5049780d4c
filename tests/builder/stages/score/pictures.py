"""Pictures of textured objects on a background, with their masks."""

from __future__ import annotations

import cv2
import numpy as np

from builder.records import (
    IndexMask,
    Rgb,
)

SIDE = 512


def texture(seed: int, low: int, high: int) -> Rgb:
    """Coloured squares of 8 pixels, with values from `low` up to `high`."""
    cells = np.random.default_rng(seed).integers(low, high, (SIDE // 8, SIDE // 8, 3), dtype=np.uint8)
    return cv2.resize(cells, (SIDE, SIDE), interpolation=cv2.INTER_NEAREST)


def plain(value: int) -> Rgb:
    return np.full((SIDE, SIDE, 3), value, np.uint8)


def ellipses(*boxes: tuple[int, int, int, int]) -> IndexMask:
    """An ellipse in each box, later ones in front."""
    mask = np.zeros((SIDE, SIDE), np.uint8)
    rows, columns = np.mgrid[:SIDE, :SIDE]
    for value, (x, y, width, height) in enumerate(boxes, start=1):
        across, down = (columns + 0.5 - x - width / 2) / (width / 2), (rows + 0.5 - y - height / 2) / (height / 2)
        mask[across**2 + down**2 <= 1] = value
    return mask


def compose(mask: IndexMask, background: Rgb, *objects: Rgb) -> Rgb:
    """Blend each object's picture into the background by the mask, with soft edges."""
    image = background.astype(np.float32)
    for value, pixels in enumerate(objects, start=1):
        alpha = cv2.GaussianBlur((mask == value).astype(np.float32), (0, 0), 1.2)[..., None]
        image = image * (1 - alpha) + pixels * alpha
    return image.round().astype(np.uint8)
