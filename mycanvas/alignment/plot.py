"""Plot the alignment of several datasets as an SVG: one histogram per dataset, below each other."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree import ElementTree as Svg

from mycanvas.alignment.measure import BIN, Alignment

COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00")
"""Okabe and Ito's palette for colour-blind readers; each histogram also has its dataset's name."""
FOREGROUND, GRID = "#222222", "#dddddd"

WIDTH, LEFT, RIGHT, TOP, BOTTOM = 760, 64, 20, 34, 56
PANEL, TITLE, GAP = 116, 28, 14
"""Pixels: a histogram's height, the line of text above it, the space below it."""
LONGEST_NAME = 48


@dataclass(frozen=True, kw_only=True, slots=True)
class Axes:
    """The axes of all histograms. low, high: cosines at the ends. top: percent at the upper end. step: of its ticks."""

    low: float
    high: float
    top: float
    step: float

    def x(self, cosine: float) -> float:
        """Pixels from the left edge to a cosine."""
        return LEFT + (cosine - self.low) / (self.high - self.low) * (WIDTH - LEFT - RIGHT)


def draw_alignments(alignments: Sequence[Alignment], encoder: str, threshold: float | None) -> str:
    """Draw histograms as an SVG document.

    Args:
        alignments: drawn in this order; one without pairs has an empty histogram.
        encoder: its name in the axis label.
        threshold: cosine that is marked by a dashed line; None: no line.
    """
    percent = [_percent(each) for each in alignments]
    axes = _axes(percent, threshold)
    height = TOP + len(alignments) * (TITLE + PANEL + GAP) + BOTTOM
    size = {"viewBox": f"0 0 {WIDTH} {height}", "width": f"{WIDTH}", "height": f"{height}"}
    style = {"font-family": "sans-serif", "font-size": "12", "fill": FOREGROUND}
    svg = Svg.Element("svg", {"xmlns": "http://www.w3.org/2000/svg", **size, **style})
    Svg.SubElement(svg, "title").text = "How well captions and pictures are aligned"
    Svg.SubElement(svg, "rect", {"width": "100%", "height": "100%", "fill": "#ffffff"})
    _write(svg, LEFT, 20, f"% of the pairs in each {BIN:g} of cosine", anchor="start")
    for index, (each, bars) in enumerate(zip(alignments, percent, strict=True)):
        floor = TOP + (index + 1) * (TITLE + PANEL) + index * GAP
        _draw_histogram(svg, axes, bars, COLOURS[index % len(COLOURS)], floor)
        if threshold is not None:
            _line(svg, axes.x(threshold), floor - PANEL, axes.x(threshold), floor, FOREGROUND, dashes="5 3")
        _write(svg, LEFT, floor - PANEL - 9, _panel_title(each, threshold), anchor="start")
    _label(svg, axes, height - BOTTOM - GAP)
    dashed = "" if threshold is None else f" (dashed: {threshold:g})"
    _write(svg, (LEFT + WIDTH - RIGHT) / 2, height - 16, f"cosine of picture and caption by {encoder}{dashed}")
    return Svg.tostring(svg, encoding="unicode") + "\n"


def _percent(alignment: Alignment) -> dict[float, float]:
    """The percentage of the pairs in each bin, by the bin's left edge."""
    edges, counts = alignment.histogram()
    return {edge: 100 * count / sum(counts) for edge, count in zip(edges, counts, strict=True)}


def _axes(percent: Sequence[dict[float, float]], threshold: float | None) -> Axes:
    marks = [edge for bars in percent for edge in bars] + ([] if threshold is None else [threshold])
    highest = max((value for bars in percent for value in bars.values()), default=100.0)
    step = _round_up(highest / 3)
    low = math.floor(min(marks, default=0.0) * 20) / 20
    high = math.ceil((max(marks, default=0.0) + BIN) * 20) / 20
    return Axes(low=low, high=high, top=math.ceil(highest / step) * step, step=step)


def _round_up(value: float) -> float:
    """The smallest of …, 0.2, 0.5, 1, 2, 5, 10, 20, … that is not below a value."""
    power = 10.0 ** math.floor(math.log10(value))
    return next(power * lead for lead in (1, 2, 5, 10) if power * lead >= value * (1 - 1e-9))


def _draw_histogram(svg: Svg.Element, axes: Axes, bars: dict[float, float], colour: str, floor: float) -> None:
    for tick in range(round(axes.top / axes.step) + 1):
        y = floor - tick * axes.step / axes.top * PANEL
        _line(svg, LEFT, y, WIDTH - RIGHT, y, FOREGROUND if tick == 0 else GRID)
        _write(svg, LEFT - 8, y + 4, f"{tick * axes.step:g}", anchor="end")
    for edge, value in bars.items():
        tall = value / axes.top * PANEL
        box = {"x": axes.x(edge), "y": floor - tall, "width": axes.x(edge + BIN) - axes.x(edge), "height": tall}
        Svg.SubElement(svg, "rect", {**{key: f"{number:.2f}" for key, number in box.items()}, "fill": colour})


def _label(svg: Svg.Element, axes: Axes, floor: float) -> None:
    step = _round_up((axes.high - axes.low) / 14)
    for tick in range(math.ceil(axes.low / step - 1e-9), math.floor(axes.high / step + 1e-9) + 1):
        x = axes.x(tick * step)
        _line(svg, x, floor, x, floor + 5, FOREGROUND)
        _write(svg, x, floor + 19, f"{tick * step:.2f}")


def _panel_title(alignment: Alignment, threshold: float | None) -> str:
    name = alignment.name
    name = name if len(name) <= LONGEST_NAME else f"…{name[-LONGEST_NAME + 1 :]}"
    mean, _ = alignment.mean_and_sd()
    if mean is None:
        return f"{name}: no pairs"
    below = None if threshold is None else alignment.below(threshold)
    share = "" if below is None else f", {100 * below:.1f} % below {threshold:g}"
    return f"{name}: {len(alignment.cosines)} pairs, mean {mean:.3f}{share}"


def _line(svg: Svg.Element, x1: float, y1: float, x2: float, y2: float, colour: str, dashes: str = "none") -> None:
    ends = {name: f"{value:.2f}" for name, value in (("x1", x1), ("y1", y1), ("x2", x2), ("y2", y2))}
    Svg.SubElement(svg, "line", {**ends, "stroke": colour, "stroke-dasharray": dashes})


def _write(svg: Svg.Element, x: float, y: float, text: str, anchor: str = "middle") -> None:
    Svg.SubElement(svg, "text", {"x": f"{x:.2f}", "y": f"{y:.2f}", "text-anchor": anchor}).text = text
