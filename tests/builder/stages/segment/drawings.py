"""Drawn photos with known masks, and a segmenter with given mattes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import cv2
import numpy as np

from builder.records import Cutout, Photo, Rejected, Rgb
from builder.stages.segment import segment
from builder.stages.segment.base import Matte, SegmentConfig
from builder.stages.segment.tricut import TriCut

CONFIG = SegmentConfig()

Drawing = tuple[Photo, np.ndarray]


def ground(size: tuple[int, int], colour: tuple[int, int, int], seed: int) -> np.ndarray:
    """A textured ground that darkens downwards, like a floor seen from above."""
    height, width = size
    grain = np.random.default_rng(seed).normal(0, 14, (height, width)).astype(np.float32)
    shade = cv2.GaussianBlur(grain, (0, 0), 1.5) * 3 + np.linspace(20, -20, height, dtype=np.float32)[:, None]
    return np.clip(np.array(colour, np.float32) + shade[..., None], 0, 255)


def draw(
    name: str,
    shape: Callable[[np.ndarray], None],
    colour: tuple[int, int, int],
    floor: tuple[int, int, int] = (120, 125, 110),
    size: tuple[int, int] = (160, 160),
) -> Drawing:
    """A shaded shape on a textured ground, antialiased; `shape` draws in white into uint8 [H, W]."""
    canvas = np.zeros(size, np.uint8)
    shape(canvas)
    alpha = canvas[..., None].astype(np.float32) / 255
    light = np.linspace(1.15, 0.8, size[1], dtype=np.float32)[None, :, None]
    lit = np.clip(np.array(colour, np.float32) * light, 0, 255)
    pixels = alpha * lit + (1 - alpha) * ground(size, floor, seed=len(name))
    return Photo(id=name, pixels=pixels.astype(np.uint8)), canvas >= 128


def ball(canvas: np.ndarray) -> None:
    height, width = canvas.shape
    cv2.circle(canvas, (width // 2, height * 11 // 20), min(height, width) // 4, 255, -1, cv2.LINE_AA)


def low_ball(canvas: np.ndarray) -> None:
    cv2.circle(canvas, (80, 125), 50, 255, -1, cv2.LINE_AA)


def bottle(canvas: np.ndarray) -> None:
    cv2.ellipse(canvas, (77, 109), (24, 32), 0, 0, 360, 255, -1, cv2.LINE_AA)
    cv2.rectangle(canvas, (70, 43), (84, 101), 255, -1)


def mug(canvas: np.ndarray) -> None:
    cv2.rectangle(canvas, (50, 57), (100, 123), 255, -1)
    cv2.ellipse(canvas, (103, 91), (20, 23), 0, -90, 90, 255, 8, cv2.LINE_AA)


class FixedMattes:
    """A segmenter that returns given mattes in order."""

    def __init__(self, *alphas: np.ndarray, quality: float = 0.9) -> None:
        self.alphas, self.quality = list(alphas), quality

    def matte(self, photos: Sequence[Rgb]) -> Iterable[Matte]:
        assert len(photos) <= len(self.alphas)
        return (Matte(alpha=self.alphas.pop(0), quality=self.quality) for _ in photos)


def photo(name: str, size: tuple[int, int] = (200, 200), alpha: np.ndarray | None = None) -> Photo:
    pixels = np.full((*size, 3), 128, np.uint8)
    if alpha is None:
        pixels[-1] = 100  # a photo of one colour is rejected
    return Photo(id=name, pixels=pixels, alpha=alpha)


def square(size: tuple[int, int] = (200, 200), half: int = 50) -> np.ndarray:
    alpha = np.zeros(size, np.float32)
    alpha[size[0] // 2 - half : size[0] // 2 + half, size[1] // 2 - half : size[1] // 2 + half] = 1
    return alpha


def iou(one: np.ndarray, other: np.ndarray) -> float:
    return float((one & other).sum() / (one | other).sum())


def cut(photos: Sequence[Photo], side: int = 512) -> list[Cutout | Rejected]:
    return list(segment([replace(photo, cutout_side=side) for photo in photos], TriCut(), CONFIG, 0))


def in_grass(mask: np.ndarray) -> np.ndarray:
    """The part of a mask that stays visible behind blades of grass up to a sixth of its height."""
    size, rng = len(mask), np.random.default_rng(5)
    rows = np.flatnonzero(mask.any(axis=1))
    grass = np.zeros(mask.shape, np.uint8)
    for x in np.linspace(0, size, 45):
        tip = (x + rng.normal(0, 0.02) * size, rows[-1] - rng.uniform(0, len(rows) / 6))
        blade = np.array([(x - size / 60, size), (x + size / 60, size), tip])
        cv2.fillPoly(grass, [np.rint(blade).astype(np.int32)], 1)
    return mask & (grass == 0)
