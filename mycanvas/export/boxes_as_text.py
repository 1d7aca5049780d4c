"""Boxes as text beside pictures: `.bbox` files, and captions of Ideogram 4 that contain boxes."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from mycanvas.dataset import Scene
from mycanvas.english import with_token
from mycanvas.export.masks import size_of
from mycanvas.export.recipe import TRIGGERS, write_json
from mycanvas.export.source import Source
from mycanvas.export.triggers import report_tokenizer, trigger_table, triggers_of, with_triggers
from mycanvas.io.text import one_line

Texts = Callable[[Scene, tuple[int, int], str, Mapping[str, str]], Mapping[str, str]]
"""Suffix -> content of the text files beside a scene's picture.

Called with the scene, its width and height in pixels, its caption, and token -> trigger of each concept.
"""

GRID = 1000
"""Ideogram 4 gives edges in thousandths of the picture's width or height."""


def write_scenes(source: Source, output: Path, texts: Texts, encoder: str) -> Counter[tuple[int, int]]:
    """Write `scenes/`, pictures with text files beside them, and `triggers.json`.

    Args:
        source: the dataset.
        output: the exported folder.
        texts: gives the text files of a scene.
        encoder: the name of the text encoder that reads them.

    Returns:
        The number of scenes by width and height.

    Raises:
        InputError: a picture cannot be read, or a caption is empty.
    """
    report_tokenizer(source.selection, encoder)
    triggers = triggers_of(source.concepts, source.selection)
    by_token = {concept.token: triggers[concept.name] for concept in source.concepts}
    sizes: Counter[tuple[int, int]] = Counter()
    (output / "scenes").mkdir()
    for scene in source.scenes():
        path, size = output / "scenes" / f"{scene.id}.jpg", size_of(scene)
        caption = one_line(with_triggers(scene.prompt, source.concepts, triggers), f"scene {scene.id}")
        path.write_bytes(scene.image)
        for suffix, text in texts(scene, size, caption, by_token).items():
            path.with_suffix(suffix).write_text(text, encoding="utf-8")
        sizes[size] += 1
    write_json(output / TRIGGERS, trigger_table(source.concepts, triggers))
    return sizes


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


def ideogram_caption(scene: Scene, size: tuple[int, int], caption: str, triggers: Mapping[str, str]) -> str:
    """A caption of Ideogram 4: one line of compact JSON, UTF-8, with keys in the order that the model knows.

    Boxes are y1, x1, y2, x2 in thousandths. `style_description` is left out, because the dataset has none.

    Args:
        scene: a scene.
        size: its width and height in pixels.
        caption: as plain text, in one line.
        triggers: token -> trigger of the concept.
    """
    elements = []
    for token, noun, box in zip(scene.concept_tokens, scene.class_names, scene.boxes, strict=True):
        x1, y1, x2, y2 = (min(GRID, max(0, round(edge * GRID))) for edge in _corners(box, size))
        elements.append({"type": "obj", "bbox": [y1, x1, y2, x2], "desc": with_token(noun, triggers[token])})
    fields: dict[str, Any] = {
        "high_level_description": caption,
        "compositional_deconstruction": {"background": scene.background, "elements": elements},
    }
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":"))


def _corners(box: tuple[float, ...], size: tuple[int, int]) -> tuple[float, float, float, float]:
    """Left, top, right and lower edge, as fractions of the picture."""
    x, y, width, height = box
    return x / size[0], y / size[1], (x + width) / size[0], (y + height) / size[1]
