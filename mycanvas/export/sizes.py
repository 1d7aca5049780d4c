"""Sizes of pictures to train on: (width, height) in pixels."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping

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


def largest(sizes: Collection[tuple[int, int]]) -> tuple[int, int]:
    """The size with the largest area, for trainers that scale down and crop what has more pixels than a limit."""
    return max(sizes, key=lambda size: (math.prod(size), size))


def square_side(size: tuple[int, int]) -> int:
    """The side of a square with as many pixels; trainers with buckets derive their sizes from it."""
    return round(math.sqrt(math.prod(size)))


def enclosing_side(size: tuple[int, int]) -> int:
    """The side of the smallest square with at least as many pixels."""
    return math.isqrt(math.prod(size) - 1) + 1
