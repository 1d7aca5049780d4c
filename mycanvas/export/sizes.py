"""Sizes of pictures to train on: (width, height) in pixels."""

from __future__ import annotations

import math
from collections.abc import Mapping

from mycanvas.errors import InputError


def largest(sizes: Mapping[tuple[int, int], int]) -> tuple[int, int]:
    """The size with the largest area, which limits pixels in training: trainers scale down and crop larger ones.

    Of sizes with equal areas it is the most frequent one.

    Args:
        sizes: size -> number of pictures.

    Raises:
        InputError: there is none.
    """
    if not sizes:
        raise InputError("nothing is left to train on: the dataset has no scene with a visible object")
    return max(sizes, key=lambda size: (math.prod(size), sizes[size], size))


def square_side(size: tuple[int, int]) -> int:
    """The side of a square with as many pixels; trainers with buckets derive their sizes from it."""
    return round(math.sqrt(math.prod(size)))


def enclosing_side(size: tuple[int, int]) -> int:
    """The side of the smallest square with at least as many pixels."""
    return math.isqrt(math.prod(size) - 1) + 1
