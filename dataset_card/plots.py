"""Draw the plots of a card with Pillow: a heat map and a histogram. The same numbers give the same pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

if TYPE_CHECKING:
    from collections.abc import Iterable

SIZE = (960, 720)
"""Width and height of a plot in pixels; the card shows it at half of its width."""
LEFT, RIGHT, TOP, BOTTOM = 110, 40, 90, 100
"""Pixels around the plotted area."""
BAR = 150
"""Pixels to the right of a heat map, for the scale of its colours."""
INK, QUIET, GRID, FILL = (28, 36, 48), (85, 96, 110), (213, 218, 225), (11, 92, 140)
COLOURS = np.array([(244, 248, 251), (150, 198, 222), (11, 92, 140), (6, 33, 58)], np.float64)
"""Colours of a heat map from 0 to the largest value; the lightness falls all the way, so that it also reads in grey."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Histogram:
    """Counts of values in bins of one width.

    edges: of the bins, ascending, one more than counts. ticks: labelled values.
    """

    edges: tuple[float, ...]
    counts: tuple[int, ...]
    ticks: tuple[float, ...]


def draw_heat_map(values: NDArray[np.float64], title: str, labels: tuple[str, str, str]) -> Image.Image:
    """Draw a heat map of a square that spans 0 to 100 % both ways.

    Args:
        values: float64 [H, W], at least 0; row 0 is at the top.
        title: above the map.
        labels: of the horizontal axis, of the vertical axis and of the values.
    """
    image, draw = _blank(title)
    width, height = SIZE[0] - LEFT - RIGHT - BAR, SIZE[1] - TOP - BOTTOM
    highest = float(values.max()) or 1.0
    cells = Image.fromarray(_coloured(values / highest)).resize((width, height), Image.Resampling.NEAREST)
    image.paste(cells, (LEFT, TOP))
    for tick in range(0, 101, 25):
        _write(draw, (LEFT + tick * width / 100, TOP + height + 10), f"{tick}", "ma")
        _write(draw, (LEFT - 12, TOP + tick * height / 100), f"{tick}", "rm")
    _label_axes(image, draw, labels[:2], (LEFT + width / 2, TOP + height / 2))
    left = LEFT + width + 40
    scale = _coloured(np.linspace(1, 0, height)[:, None])
    image.paste(Image.fromarray(np.repeat(scale, 28, axis=1)), (left, TOP))
    for share in (0.0, 0.5, 1.0):
        _write(draw, (left + 38, TOP + (1 - share) * height), f"{share * highest:.2g}", "lm")
    _write_turned(image, labels[2], (SIZE[0] - 30, TOP + height / 2))
    return image


def draw_histogram(histogram: Histogram, title: str, labels: tuple[str, str]) -> Image.Image:
    """Draw a histogram.

    Args:
        histogram: of at least one bin.
        title: above it.
        labels: of the horizontal and of the vertical axis.
    """
    image, draw = _blank(title)
    width, height = SIZE[0] - LEFT - RIGHT, SIZE[1] - TOP - BOTTOM
    low, high = histogram.edges[0], histogram.edges[-1]
    marks = count_ticks(max(histogram.counts))
    for mark in marks:
        y = TOP + height - mark / marks[-1] * height
        draw.line((LEFT, y, LEFT + width, y), fill=GRID if mark else INK, width=2)
        _write(draw, (LEFT - 12, y), f"{mark}", "rm")

    def x(value: float) -> float:
        return LEFT + (value - low) / (high - low) * width

    for start, end, count in zip(histogram.edges, histogram.edges[1:], histogram.counts, strict=False):
        top = TOP + height - count / marks[-1] * height
        if count:
            draw.rectangle((x(start) + 1, top, x(end) - 2, TOP + height), fill=FILL)
    for tick in histogram.ticks:
        _write(draw, (x(tick), TOP + height + 10), f"{tick:g}", "ma")
    _label_axes(image, draw, labels, (LEFT + width / 2, TOP + height / 2))
    return image


def count_ticks(most: int) -> tuple[int, ...]:
    """Up to six round numbers from 0 to at least `most`, evenly spaced."""
    step = next(lead * 10**power for power in range(12) for lead in (1, 2, 5) if lead * 10**power * 5 >= most)
    return tuple(range(0, step * max(1, -(-most // step)) + 1, step))


def _coloured(values: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Map float64 [H, W] in [0, 1] to uint8 [H, W, 3]."""
    stops = np.linspace(0, 1, len(COLOURS))
    channels = [np.interp(values, stops, COLOURS[:, channel]) for channel in range(3)]
    return np.rint(np.stack(channels, axis=-1)).astype(np.uint8)


def _blank(title: str) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    image = Image.new("RGB", SIZE, "white")
    draw = ImageDraw.Draw(image)
    draw.text((LEFT, TOP / 2), title, fill=INK, font=ImageFont.load_default(32), anchor="lm")
    return image, draw


def _label_axes(
    image: Image.Image, draw: ImageDraw.ImageDraw, labels: Sequence[str], centre: tuple[float, float]
) -> None:
    _write(draw, (centre[0], SIZE[1] - 22), labels[0], "ms")
    _write_turned(image, labels[1], (24, centre[1]))


def _write(draw: ImageDraw.ImageDraw, at: tuple[float, float], text: str, anchor: str) -> None:
    draw.text(at, text, fill=QUIET, font=ImageFont.load_default(24), anchor=anchor)


def _write_turned(image: Image.Image, text: str, centre: Iterable[float]) -> None:
    """Write from the bottom to the top."""
    font = ImageFont.load_default(24)
    line = Image.new("L", (round(font.getlength(text)) + 4, 34))
    ImageDraw.Draw(line).text((2, 17), text, fill=255, font=font, anchor="lm")
    turned = line.transpose(Image.Transpose.ROTATE_90)
    x, y = (round(at - length / 2) for at, length in zip(centre, turned.size, strict=True))
    image.paste(QUIET, (x, y), turned)
