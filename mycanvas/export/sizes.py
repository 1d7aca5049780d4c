"""Sizes of pictures to train on: (width, height) in pixels."""

from __future__ import annotations

import math
from collections.abc import Mapping

from mycanvas.errors import InputError


def most_frequent(sizes: Mapping[tuple[int, int], int]) -> tuple[int, int]:
    """The most frequent size; of equally frequent ones the larger.

    Args:
        sizes: size -> number of pictures.

    Raises:
        InputError: there is none.
    """
    if not sizes:
        raise InputError("nothing is left to train on: the dataset has no scene with a visible object")
    return max(sizes, key=lambda size: (sizes[size], size))


def square_side(size: tuple[int, int]) -> int:
    """The side of a square with as many pixels; trainers with buckets derive their sizes from it."""
    return round(math.sqrt(math.prod(size)))
