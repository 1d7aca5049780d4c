"""Small JPEGs as data URIs, as large as a number of bytes allows."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar

from PIL import Image

T = TypeVar("T")


class Level(NamedTuple):
    """How small pictures are stored. side: of the longer side, in pixels. quality: of the JPEG, 1 to 95."""

    side: int
    quality: int


LEVELS = (
    *(Level(360, 80), Level(320, 76), Level(256, 72), Level(224, 70), Level(192, 66), Level(176, 62)),
    *(Level(160, 60), Level(144, 55), Level(128, 52), Level(128, 44), Level(112, 46), Level(96, 45)),
)
"""The largest first."""
SAMPLE = 24
"""Items that are encoded to estimate the size of all."""
MARGIN = 0.95
"""Fraction of the allowed bytes that an estimate may reach."""


def data_uri(image: Image.Image, level: Level) -> str:
    """Encode an image as a JPEG of at most this size."""
    small, buffer = image.convert("RGB"), io.BytesIO()
    small.thumbnail((level.side, level.side), Image.Resampling.LANCZOS)
    small.save(buffer, "JPEG", quality=level.quality, optimize=True)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def fitting_level(items: Sequence[T], count: int, allowed: int, size: Callable[[T, Level], int]) -> tuple[Level, int]:
    """Find the best level at which items fit into a number of bytes.

    Args:
        items: some of them, to estimate the size of all.
        count: the number of all.
        allowed: bytes.
        size: the bytes of one item at a level.

    Returns:
        The level, and the number of items that fit: all, unless they are too large even at the last level.
    """
    mean = 1.0
    for level in LEVELS:
        mean = max(1.0, sum(size(item, level) for item in items) / max(1, len(items)))
        if mean * count <= MARGIN * allowed:
            return level, count
    return LEVELS[-1], min(count, int(MARGIN * allowed / mean))
