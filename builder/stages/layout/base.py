"""Interface of the layout backends, the stage's settings, and the bounds that every layout must keep."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from builder.records import Concept, Cutout, Layout, Placement, Rejected, Setting, Size, Theme
from builder.stages.backend import Backend
from mycanvas.io.config_table import Fraction, Table

MIN_SIDE_DIVISOR: Mapping[int, int] = {1: 5, 2: 5, 3: 5, 4: 6, 5: 8}
"""Divisor d by number of objects: a box covers at least (H / d) * (W / d) (Gen4Gen, arXiv 2402.15504, supplement)."""

SIZE_RATIOS = (0.4, 1.0)
"""The range of relative object sizes in a scene; the largest object has 1.0 (Gen4Gen's size prompt)."""

_GRID = 128
"""Cells across and down the grid on which overlap is measured: precise enough for a part of an object, and fast."""


class LayoutConfig(Table):
    """[layout]: where each object stands."""

    max_overlap: Fraction = 0.25
    """Largest fraction of an object that those in front of it may hide."""
    scale: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Factor on the size of the whole group of objects."""


class LayoutBackend(Backend, Protocol):
    """Finds a place for each object of a scene."""

    def place(self, settings: Sequence[Setting], config: LayoutConfig, seed: int) -> Iterable[Layout | Rejected]:
        """One result per setting, in order: a placement per cut-out, in the order of the sample's concepts."""
        ...


class ThemeBackend(LayoutBackend, Protocol):
    """A layout backend that also proposes backgrounds and sizes for each composition, before the build is planned."""

    @staticmethod
    def batch_size(config: Any) -> int:  # noqa: ARG004
        """The number of compositions in one unit of work."""
        return 1

    def themes(
        self, compositions: Sequence[Sequence[Concept]], scenes: Mapping[str, str], *, free: bool, seed: int
    ) -> list[Theme | None]:
        """One theme per composition, in order; None if no reply is usable and the configuration allows it.

        Args:
            compositions: each one's concepts.
            scenes: each scene's name and phrase.
            free: whether the backend may write its own phrases.
            seed: the build's.

        Raises:
            ModelError: the model cannot be reached, or no reply is usable and the configuration requires one.
        """
        ...


def min_area(num_objects: int, width: float, height: float) -> float:
    """The minimum area of a box in a scene of this width and height, in any unit, with 1 to 5 objects."""
    divisor = MIN_SIDE_DIVISOR[num_objects]
    return (width / divisor) * (height / divisor)


def find_flaw(setting: Setting, placements: Sequence[Placement], max_overlap: float) -> str | None:
    """Return the bound that the placements break, in words; None if they keep all.

    Every box is within the canvas, has at least the paper's minimum area and its cut-out's aspect ratio to a pixel, and
    at least 1 - `max_overlap` of its object is visible.
    """
    size = setting.background.size
    least = min_area(len(placements), *size)
    for concept, cutout, place in zip(setting.sample.concepts, setting.cutouts, placements, strict=True):
        right, bottom = place.x + place.width, place.y + place.height
        if place.x < 0 or place.y < 0 or right > size.width or bottom > size.height:
            return f"{concept.name} leaves the canvas of {size} pixels: {_box(place)}"
        if place.width * place.height < least:
            return (
                f"{concept.name} covers {place.width * place.height} pixels; "
                f"the least for {len(placements)} objects is {least:.0f}"
            )
        rows, columns = cutout.rgba.shape[:2]
        if abs(place.width * rows - place.height * columns) > max(rows, columns):
            return f"{concept.name} is drawn {place.width}x{place.height}, its cut-out is {columns}x{rows}"
    for concept, hidden in zip(setting.sample.concepts, hidden_shares(setting.cutouts, placements, size), strict=True):
        if hidden > max_overlap:
            return f"{hidden:.2f} of {concept.name} is hidden; layout.max_overlap is {max_overlap}"
    return None


def hidden_shares(cutouts: Sequence[Cutout], placements: Sequence[Placement], size: Size) -> tuple[float, ...]:
    """For each object, the fraction of its silhouette that nearer objects cover, measured on a coarse grid."""
    covered = np.zeros((_GRID, _GRID), np.bool_)
    shares = [0.0] * len(placements)
    for index, place in sorted(enumerate(placements), key=lambda entry: entry[1].depth):
        left, top = place.x * _GRID // size.width, place.y * _GRID // size.height
        shape = _silhouette(cutouts[index], place, size)[: _GRID - top, : _GRID - left]
        behind = covered[top : top + shape.shape[0], left : left + shape.shape[1]]
        shares[index] = int(np.count_nonzero(shape & behind)) / max(1, int(np.count_nonzero(shape)))
        behind |= shape
    return tuple(shares)


def _silhouette(cutout: Cutout, place: Placement, size: Size) -> NDArray[np.bool_]:
    width, height = (max(1, round(v * _GRID / side)) for v, side in zip((place.width, place.height), size, strict=True))
    step = max(1, min(cutout.rgba.shape[:2]) // 64)
    alpha = np.ascontiguousarray(cutout.rgba[::step, ::step, 3])
    return np.asarray(cv2.resize(alpha, (width, height), interpolation=cv2.INTER_AREA)) >= 128


def _box(place: Placement) -> str:
    return f"x {place.x}, y {place.y}, width {place.width}, height {place.height}"
