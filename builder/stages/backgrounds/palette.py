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
    """Colours along a palette: its first where `share` is 0, its last where it is 1. float32 [H, W, 3]."""
    return tint(palette, share).astype(np.float32)


def tint(palette: Sequence[Colour], share: Field) -> Rgb:
    """The same as `blend`, as uint8 [H, W, 3]."""
    table = np.rint(_table(tuple(palette))).astype(np.uint8)
    return np.asarray(cv2.applyColorMap(_percentile(share), table[:, None]), np.uint8)


def mix(first: Rgb, second: Rgb, share: Field) -> Rgb:
    """Blend a second picture over a first one; share: the second's opacity, 0 to 1, of each pixel."""
    return np.asarray(cv2.blendLinear(first, second, 1 - share, share), np.uint8)


def mix_rows(first: Rgb, second: Rgb | Colour, shares: NDArray[np.floating]) -> None:
    """Blend a second picture, or a colour, over a first one in place; shares: the second's opacity in each row."""
    if isinstance(second, str):
        second = np.broadcast_to(np.tile(colour(second), (first.shape[1], 1)).astype(np.uint8), first.shape)
    for row, other, share in zip(first, second, shares.tolist(), strict=True):
        cv2.addWeighted(row, 1 - share, other, share, 0, dst=row)


def light_up(colours: Rgb, light: Field) -> Rgb:
    """Multiply colours by a light, 0 to 2, where 1 changes nothing; uint8 [H, W, 3]."""
    gain = cv2.convertScaleAbs(light, alpha=127.5)
    return np.asarray(cv2.multiply(colours, cv2.merge((gain, gain, gain)), scale=1 / 127.5), np.uint8)


@cache
def _table(palette: tuple[Colour, ...]) -> NDArray[np.float32]:
    """256 colours along a palette: float32 [256, 3]."""
    known = np.stack([colour(text) for text in palette])
    steps, places = np.linspace(0, 1, 256), np.linspace(0, 1, len(known))
    return np.stack([np.interp(steps, places, channel) for channel in known.T], 1).astype(np.float32)


def _percentile(share: Field) -> NDArray[np.uint8]:
    """Shares as integers from 0 to 255; shares outside of 0 to 1 are clipped."""
    return np.asarray(cv2.multiply(share, 255.0, dtype=cv2.CV_8U), np.uint8)
