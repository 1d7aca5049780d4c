"""A candidate as a row of the dataset: what is encoded, and how."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from builder.records import Candidate, IndexMask, Rgb
from mycanvas.schema import SCORES

JPEG_QUALITY = 95
PNG_LEVEL = 1

Row = dict[str, Any]
"""Column name -> value, as pyarrow takes it."""

PALETTE = (0, 0, 0, 230, 25, 75, 60, 180, 75, 0, 130, 200, 255, 225, 25, 145, 30, 180)
"""Colours of mask values 0 to 5, as a viewer shows them; the values are what counts."""


def candidate_row(candidate: Candidate, provenance: Mapping[str, Any]) -> Row:
    """The columns of DESIGN.md's table for one scene, and the fingerprint that select compares."""
    captioned = candidate.captioned
    scene = captioned.scene
    canvas = scene.canvas
    sample = canvas.layout.setting.sample
    made = {**provenance, "background": f"procedural:{sample.background.scene}"}
    if sample.background.photo:
        made["background"] = sample.background.photo.id
    if canvas.layout.placed_by:
        made["placed_by"] = canvas.layout.placed_by
    if captioned.written_by:
        made["written_by"] = captioned.written_by
    return {
        "id": sample.id,
        "image": {"bytes": jpeg(scene.image), "path": None},
        "caption": captioned.caption,
        "prompt": captioned.prompt,
        "boxes": [list(box) for box in canvas.boxes],
        "concept_tokens": [concept.token for concept in sample.concepts],
        "class_names": [concept.class_noun for concept in sample.concepts],
        "mask": {"bytes": index_png(canvas.mask), "path": None},
        "background": sample.background.phrase,
        "composition": sample.composition,
        "num_objects": len(sample.concepts),
        "source_images": list(sample.photo_ids),
        "scores": {name: candidate.scores.get(name) for name in SCORES},
        "rank": None,
        "provenance": json.dumps(made, sort_keys=True),
        "fingerprint": candidate.fingerprint,
    }


def jpeg(pixels: Rgb) -> bytes:
    """uint8 [H, W, 3] as a JPEG of quality 95."""
    return _encoded(".jpg", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), (cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY))


def png(pixels: NDArray[np.uint8]) -> bytes:
    """uint8 [H, W], [H, W, 3] or [H, W, 4] as a PNG, quickly rather than tightly packed."""
    if pixels.ndim == 3:  # OpenCV writes B, G, R
        pixels = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR if pixels.shape[2] == 3 else cv2.COLOR_RGBA2BGRA)
    return _encoded(".png", pixels, (cv2.IMWRITE_PNG_COMPRESSION, PNG_LEVEL))


def index_png(mask: IndexMask) -> bytes:
    """uint8 [H, W] of object numbers as a palette PNG: the stored pixel value is the number."""
    image = Image.fromarray(mask)
    image.putpalette(PALETTE)
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", compress_level=PNG_LEVEL, bits=4)
    return buffer.getvalue()


def _encoded(suffix: str, pixels: NDArray[np.uint8], options: tuple[int, int]) -> bytes:
    _, encoded = cv2.imencode(suffix, pixels, options)
    return encoded.tobytes()
