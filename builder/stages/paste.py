"""Layout -> Canvas: scale each cut-out to its final size, and find its visible pixels."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from builder.records import Box, Canvas, IndexMask, Layer, Layout, Placement, Rejected, Rgb, Rgba, Size

OPAQUE = 0.5
"""A pixel belongs to the object that contributes at least this fraction of it."""

Pixel = TypeVar("Pixel", np.uint8, np.float32)

PYRAMIDS_HELD = 32
"""Number of cut-outs whose image pyramids are cached: that of 1024 x 1024 pixels takes 5.6 MB."""


def paste(layouts: Sequence[Layout]) -> Iterator[Canvas | Rejected]:
    """Scale the cut-outs, order them by depth and find their visible pixels; reject scenes with a hidden object."""
    for layout in layouts:
        yield _paste(layout)


def _paste(layout: Layout) -> Canvas | Rejected:
    setting = layout.setting
    near_to_far = sorted(range(len(layout.placements)), key=lambda i: (layout.placements[i].depth, i))
    layers = [_layer(i, setting.cutouts[i].rgba, layout.placements[i]) for i in reversed(near_to_far)]
    mask = visible_mask(layers, setting.background.size)
    boxes: dict[int, Box] = {}
    visible: dict[int, float] = {}
    for layer in layers:
        shown = _region(mask, layer) == layer.index + 1
        x, y, width, height = cv2.boundingRect(shown.view(np.uint8))
        if not width:
            return setting.rejected("paste", f"no pixel of {setting.sample.concepts[layer.index].name} is visible")
        boxes[layer.index] = (float(layer.x + x), float(layer.y + y), float(width), float(height))
        visible[layer.index] = float(np.count_nonzero(shown) / np.count_nonzero(layer.alpha >= OPAQUE))
    return Canvas(
        layout=layout,
        layers=tuple(layers),
        mask=mask,
        boxes=tuple(boxes[i] for i in range(len(layers))),
        visible=tuple(visible[i] for i in range(len(layers))),
    )


def visible_mask(layers: Sequence[Layer], size: Size) -> IndexMask:
    """Index + 1 of the layer that contributes at least half of each pixel, behind those in front; 0 where none does.

    Args:
        layers: back to front.
        size: of the canvas.
    """
    mask = np.zeros((size.height, size.width), np.uint8)
    passing = np.full_like(mask, 255)
    for layer in reversed(layers):
        light, region = _region(passing, layer), _region(mask, layer)
        passed = cv2.multiply(cv2.convertScaleAbs(layer.alpha, alpha=255), light, scale=1 / 255)
        shown = (passed >= round(255 * OPAQUE)) & (region == 0)
        region += shown.view(np.uint8) * np.uint8(layer.index + 1)
        cv2.subtract(light, passed, dst=light)
    return mask


def _region(array: NDArray[Pixel], layer: Layer) -> NDArray[Pixel]:
    """The part of a canvas-sized array that the layer covers, as a view."""
    height, width = layer.alpha.shape
    return array[layer.y : layer.y + height, layer.x : layer.x + width]


def _layer(index: int, rgba: Rgba, place: Placement) -> Layer:
    scaled = _scaled(rgba, place.width, place.height)
    alpha = cv2.extractChannel(scaled, 3).astype(np.float32) / np.float32(255)
    return Layer(index=index, x=place.x, y=place.y, rgb=_straightened(scaled), alpha=alpha)


def _scaled(rgba: Rgba, width: int, height: int) -> Rgba:
    """The cut-out at another size, premultiplied, so that hidden colours never bleed into the edge."""
    level = next((level for level in reversed(_pyramid(rgba)) if level.shape[0] >= height), None)
    if level is None:
        return np.asarray(cv2.resize(_pyramid(rgba)[0], (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)
    return np.asarray(cv2.resize(level, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)


_pyramids: OrderedDict[int, tuple[Rgba, tuple[Rgba, ...]]] = OrderedDict()
"""Image pyramids by the `id` of the cut-out's array; each entry holds the array, so that its `id` is not reused."""


def _pyramid(rgba: Rgba) -> tuple[Rgba, ...]:
    """The premultiplied cut-out and its halvings, largest first; cached, because many scenes use the same cut-out.

    Down to half the size, bilinear scaling averages all pixels: from the right halving it is as good as area averaging
    from the full size, and about ten times as fast.
    """
    if id(rgba) not in _pyramids:
        levels = [_premultiplied(rgba)]
        while min(levels[-1].shape[:2]) >= 64:
            rows, columns = levels[-1].shape[:2]
            half = ((columns + 1) // 2, (rows + 1) // 2)
            levels.append(np.asarray(cv2.resize(levels[-1], half, interpolation=cv2.INTER_LINEAR), np.uint8))
        _pyramids[id(rgba)] = (rgba, tuple(levels))
        if len(_pyramids) > PYRAMIDS_HELD:
            _pyramids.popitem(last=False)
    _pyramids.move_to_end(id(rgba))
    return _pyramids[id(rgba)][1]


def _premultiplied(rgba: Rgba) -> Rgba:
    coverage = cv2.extractChannel(rgba, 3)
    factor = cv2.merge([coverage, coverage, coverage, np.full_like(coverage, 255)])
    return np.asarray(cv2.multiply(rgba, factor, scale=1 / 255), np.uint8)


def _straightened(premultiplied: Rgba) -> Rgb:
    coverage = cv2.extractChannel(premultiplied, 3)
    rgb = cv2.cvtColor(premultiplied, cv2.COLOR_RGBA2RGB)
    return np.asarray(cv2.divide(rgb, cv2.merge([coverage, coverage, coverage]), scale=255), np.uint8)
