"""Colours written as hexadecimal digits: chosen from a list, blended along a palette."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from builder.records import Rgb
from builder.stages.backgrounds.noise import Field

Colour = str
"""Six hexadecimal digits, red first."""
Choice = TypeVar("Choice")


def choose(rng: np.random.Generator, choices: Sequence[Choice]) -> Choice:
    """Draw one of several choices, all equally likely."""
    return choices[int(rng.integers(len(choices)))]


def variant_of(variant: int, choices: Sequence[Choice]) -> Choice:
    """The choice at index `variant`, which wraps around."""
    return choices[variant % len(choices)]


def colour(text: Colour) -> NDArray[np.float32]:
    """The colour as float32 [3] in [0, 255]."""
    return np.frombuffer(bytes.fromhex(text), np.uint8).astype(np.float32)


def blend(palette: Sequence[Colour], share: Field) -> NDArray[np.float32]:
    """Colours along a palette: its first where `share` is 0, its last where it is 1. float32 [..., 3]."""
    return _table(tuple(palette))[_percentile(share)]


def tint(palette: Sequence[Colour], share: Field) -> Rgb:
    """The same as `blend`, as uint8 [H, W, 3]."""
    table = np.rint(_table(tuple(palette))).astype(np.uint8)
    return np.asarray(cv2.applyColorMap(_percentile(share), table[:, None]), np.uint8)


def mix(first: Rgb, second: Rgb | Colour, share: NDArray[np.float32]) -> Rgb:
    """Blend a second picture, or a colour, over a first one of the same size.

    Args:
        first: uint8 [H, W, 3].
        second: uint8 [H, W, 3].
        share: opacity of the second, 0 to 1: float32 [H, W], or [H, 1] for one number per row.

    Returns:
        uint8 [H, W, 3].
    """
    if isinstance(second, str):
        second = np.broadcast_to(colour(second).astype(np.uint8), first.shape)
    over = np.ascontiguousarray(np.broadcast_to(share, first.shape[:2]))
    return np.asarray(cv2.blendLinear(first, np.ascontiguousarray(second), 1 - over, over), np.uint8)


def light_up(colours: Rgb, light: Field) -> Rgb:
    """Multiply colours by a light, float32 [H, W], where 1 changes nothing; uint8 [H, W, 3]."""
    return np.asarray(cv2.multiply(colours, cv2.merge((light, light, light)), dtype=cv2.CV_8U), np.uint8)


@cache
def _table(palette: tuple[Colour, ...]) -> NDArray[np.float32]:
    """256 colours along a palette: float32 [256, 3]."""
    known = np.stack([colour(text) for text in palette])
    steps, places = np.linspace(0, 1, 256), np.linspace(0, 1, len(known))
    return np.stack([np.interp(steps, places, channel) for channel in known.T], 1).astype(np.float32)


def _percentile(share: Field) -> NDArray[np.uint8]:
    """Shares as integers from 0 to 255; shares outside of 0 to 1 are clipped."""
    return np.asarray(cv2.multiply(share, 255.0, dtype=cv2.CV_8U), np.uint8)
