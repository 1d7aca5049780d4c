"""Tear: an outline that is rough at its lower end only. Thin parts: strings, rims and tatters."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from builder.stages.segment.outline import tear, thin_share
from tests.builder.stages.segment.drawings import (
    in_grass,
)


def disc(size: int, fur: float = 0.0) -> np.ndarray:
    """A disc in a square of this size; fur: the standard deviation of its radius, as a fraction of it."""
    angle = np.linspace(0, 2 * np.pi, 120, endpoint=False)
    radius = 0.35 * size * (1 + fur * np.random.default_rng(3).normal(size=120))
    points = size / 2 + radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return cv2.fillPoly(np.zeros((size, size), np.uint8), [np.rint(points).astype(np.int32)], 1).astype(bool)


def stool(size: int) -> np.ndarray:
    canvas = np.zeros((size, size), np.uint8)
    cv2.ellipse(canvas, (size // 2, size // 3), (size // 3, size // 6), 0, 0, 360, 1, -1)
    for foot in (-1, 0, 1):
        cv2.line(canvas, (size // 2, size // 3), (size // 2 + foot * size // 3, size * 9 // 10), 1, size // 20)
    return canvas.astype(bool)


@pytest.mark.parametrize("size", [300, 900])
def test_tear_is_positive_only_for_an_outline_rough_below(size: int) -> None:
    torn = in_grass(disc(size))

    assert tear(torn) > 0.001
    assert tear(torn[::-1]) == 0, "rough above"
    assert tear(disc(size)) == 0, "smooth all around"
    assert tear(disc(size, fur=0.05)) == 0, "rough all around"
    assert tear(stool(size)) == 0, "smooth between its corners"


@pytest.mark.parametrize("size", [(1, 1), (1, 400), (400, 1), (200, 300), (900, 900)])
def test_tiny_full_or_empty_masks_have_no_tear(size: tuple[int, int]) -> None:
    assert tear(np.ones(size, bool)) == 0
    assert tear(np.zeros(size, bool)) == 0
    assert tear(np.eye(*size, dtype=bool)) == 0


@pytest.mark.parametrize("size", [120, 900])
def test_thin_parts_are_measured_at_any_size(size: int) -> None:
    whole = disc(size)
    with_string = whole.astype(np.uint8)
    cv2.line(with_string, (size // 2, 0), (size // 2, size // 3), 1, max(1, size // 30))

    assert thin_share(whole) < 0.005
    assert 0.008 < thin_share(with_string.astype(bool)) - thin_share(whole) < 0.02
    assert thin_share(np.zeros((5, 5), bool)) == 0
