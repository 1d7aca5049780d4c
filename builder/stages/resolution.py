"""Sizes of scenes in a configuration: a side, "1024x768", or a list of these, from which each scene draws one.

A square is always stored as one number, as in versions that had no other shapes, so that their builds are resumed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated

from pydantic import BeforeValidator

from builder.records import Size
from mycanvas.io.text import brief_repr

SMALLEST, LARGEST = 128, 4096
"""Range of a side in pixels."""
STEP = 8
"""Sides of a picture that is not square are multiples of this: one cell of most image models' latents, in pixels."""
LONGEST = 2.5
"""Largest ratio of the longer side to the shorter one: few arrangements of four objects fit a narrower picture."""

_EXPECTED = "expected a side such as 1024, a size such as 1024x768, or a list such as 1024x1024,1152x896"

Given = int | str
"""A square's side, or "<width>x<height>"."""


def read_resolution(value: object) -> Given | tuple[Given, ...]:
    """Check and normalize a resolution: a square becomes its side, and a list of one entry becomes the entry.

    Args:
        value: a side, a size, a list of them, or text that lists them, separated by commas.

    Raises:
        ValueError: it is none of these, a side is out of range, or a size is listed twice.
    """
    parts = value.split(",") if isinstance(value, str) else value if isinstance(value, list | tuple) else [value]
    if not parts:
        raise ValueError(f"{_EXPECTED}, got an empty list")
    sizes = [_read_size(part, value) for part in parts]
    for size in sizes:
        if sizes.count(size) > 1:
            raise ValueError(f"{size} is listed {sizes.count(size)} times; list it once")
    given = tuple(size.width if size.width == size.height else str(size) for size in sizes)
    return given if len(given) > 1 else given[0]


def sizes_of(resolution: Given | Sequence[Given]) -> tuple[Size, ...]:
    """The sizes of a checked resolution, in its order."""
    listed = [resolution] if isinstance(resolution, int | str) else resolution
    return tuple(_parsed(part) for part in listed)


def _read_size(part: object, value: object) -> Size:
    text = str(part).strip() if isinstance(part, int | str) and not isinstance(part, bool) else ""
    if not re.fullmatch(r"-?\d{1,9}(\s*[x×]\s*-?\d{1,9})?", text):
        raise ValueError(f"{_EXPECTED}, got {brief_repr(value)}")
    size = _parsed(text)
    if not all(SMALLEST <= side <= LARGEST for side in size):
        raise ValueError(f"sides must be from {SMALLEST} to {LARGEST} pixels, got {text}")
    if size.width != size.height and any(side % STEP for side in size):
        nearest = Size(*(round(side / STEP) * STEP for side in size))
        raise ValueError(f"sides of a size must be multiples of {STEP}, got {text}; the nearest is {nearest}")
    if max(size) > LONGEST * min(size):
        raise ValueError(f"the longer side must be at most {LONGEST:g} times the shorter one, got {text}")
    return size


def _parsed(given: Given) -> Size:
    width, *height = (int(side) for side in re.split("[x×]", str(given)))
    return Size(width, *height or [width])


Resolution = Annotated[Given | tuple[Given, ...], BeforeValidator(read_resolution)]
"""The type of the setting."""
