"""Boxes as text: the content of `.bbox` files, and captions of Ideogram 4 that contain boxes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from mycanvas.dataset import Scene
from mycanvas.english import with_token

GRID = 1000
"""Ideogram 4 gives edges in thousandths of the picture's width or height."""


def bbox_file(scene: Scene, size: tuple[int, int], triggers: Mapping[str, str]) -> str:
    """The content of a `.bbox` file: SimpleTuner's grounding reads a JSON list of labels and x1, y1, x2, y2 in 0 to 1.

    SimpleTuner drops a whole file for one box without area; a scene has none, because every object shows a pixel.

    Args:
        scene: a scene.
        size: its width and height in pixels.
        triggers: token -> trigger of the concept.
    """
    return json.dumps(
        [
            {"label": f"{triggers[token]} {noun}", "bbox": [round(edge, 6) for edge in _corners(box, size)]}
            for token, noun, box in zip(scene.concept_tokens, scene.class_names, scene.boxes, strict=True)
        ]
    )


def ideogram_caption(scene: Scene, size: tuple[int, int], prompt: str, triggers: Mapping[str, str]) -> str:
    """A caption of Ideogram 4: one line of compact JSON, UTF-8, with keys in the order that the model knows.

    Boxes are y1, x1, y2, x2 in thousandths. `style_description` is left out, because the dataset has none.

    Args:
        scene: a scene.
        size: its width and height in pixels.
        prompt: the caption as one sentence.
        triggers: token -> trigger of the concept.
    """
    elements = []
    for token, noun, box in zip(scene.concept_tokens, scene.class_names, scene.boxes, strict=True):
        x1, y1, x2, y2 = (min(GRID, max(0, round(edge * GRID))) for edge in _corners(box, size))
        elements.append({"type": "obj", "bbox": [y1, x1, y2, x2], "desc": with_token(noun, triggers[token])})
    caption: dict[str, Any] = {
        "high_level_description": prompt,
        "compositional_deconstruction": {"background": scene.background, "elements": elements},
    }
    return json.dumps(caption, ensure_ascii=False, separators=(",", ":"))


def _corners(box: tuple[float, ...], size: tuple[int, int]) -> tuple[float, float, float, float]:
    """Left, top, right and lower edge, as fractions of the picture."""
    x, y, width, height = box
    return x / size[0], y / size[1], (x + width) / size[0], (y + height) / size[1]
