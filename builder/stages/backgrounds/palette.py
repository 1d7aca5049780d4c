"""Colours written as hexadecimal digits: chosen from a list, blended along a palette."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

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
    known = np.stack([colour(text) for text in palette])
    steps = np.linspace(0, 1, 256)
    table = np.stack([np.interp(steps, np.linspace(0, 1, len(known)), channel) for channel in known.T], 1)
    return table.astype(np.float32)[(np.clip(share, 0, 1) * 255).astype(np.uint8)]
