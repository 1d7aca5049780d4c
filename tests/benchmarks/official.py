"""The official step 2 of Gen4Gen, re-implemented from what it does, to measure beside.

After louisYen/Gen4Gen, gen4gen/s2_llm_guided_object_composition.py: the same operations, in the same order, on files of
the same kind, in the same libraries (Pillow, OpenCV, NumPy).

Included, for every composition again: both PNG files of each object (colour and mask, uncropped, as step 1 leaves them)
are opened and decoded; the mask is thresholded at 70 and the object's extent looked up in it; both are cropped, resized
by Pillow's default filter and pasted, in the order of their summed overlaps, through the mask onto a black canvas and a
mask canvas; both canvases are saved as PNG with Pillow's defaults.

Left out, all of it in the official program's favour: the language model with its retries and the sleep of 70 s before
every twentieth sample, the listing of folders, the progress bar and prints, reports in CSV and JSON, PyTorch (its box
overlaps of 2 to 5 boxes are NumPy's here), and its rules that move and enlarge boxes: the boxes given here are those of
our layout, so that both draw the same objects at the same sizes in the same places. Rotation, mirroring and shifts are
off in the original, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

Corners = tuple[int, int, int, int]
"""Left, top, right, bottom, in pixels."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Item:
    """One object: its files, and where it goes."""

    foreground: Path
    mask: Path
    box: Corners


def write_item_files(rgba: NDArray[np.uint8], foreground: Path, mask: Path) -> None:
    """The output of the official step 1 for a photo: colours multiplied by alpha, and alpha in a file of its own."""
    alpha = rgba[..., 3:].astype(np.float32) / 255
    Image.fromarray((rgba[..., :3] * alpha).astype(np.uint8)).save(foreground)
    Image.fromarray(rgba[..., 3]).save(mask)


def compose(items: Sequence[Item], size: int, image_path: Path, mask_path: Path) -> None:
    """One composition of `size` x `size` pixels, written to two files."""
    image_canvas = Image.fromarray(np.zeros((size, size, 3), np.uint8))
    mask_canvas = Image.fromarray(np.zeros((size, size), np.uint8))
    for index in _paste_order([item.box for item in items]):
        item = items[index]
        left, top, right, bottom = item.box
        colours = Image.open(item.foreground).convert("RGB")
        mask: Image.Image = Image.open(item.mask)
        extent = _extent(mask)
        colours = colours.crop(extent).resize((right - left, bottom - top))
        mask = mask.crop(extent).resize((right - left, bottom - top))
        image_canvas.paste(colours, (left, top), mask)
        mask_canvas.paste(mask, (left, top), mask)
    image_canvas.save(image_path)
    mask_canvas.save(mask_path)


def _paste_order(boxes: Sequence[Corners]) -> list[int]:
    """Those that overlap the others most come first."""
    corners = np.array(boxes, np.float32)
    starts = np.maximum(corners[:, None, :2], corners[None, :, :2])
    ends = np.minimum(corners[:, None, 2:], corners[None, :, 2:])
    shared = np.clip(ends - starts, 0, None).prod(axis=2)
    area = (corners[:, 2:] - corners[:, :2]).prod(axis=1)
    overlap = shared / (area[:, None] + area[None] - shared) * (1 - np.eye(len(boxes)))
    return [int(index) for index in np.argsort(-overlap.sum(axis=1))]


def _extent(mask: Image.Image) -> Corners:
    _, binary = cv2.threshold(np.array(mask), 70, 255, cv2.THRESH_BINARY)
    rows, columns = np.where(binary == 255)
    return int(columns.min()), int(rows.min()), int(columns.max()), int(rows.max())
