"""A folder of images with `metadata.jsonl`, as `load_dataset("imagefolder")` and diffusers' trainers read it.

`text` is the prompt with tokens; those trainers read this column by default.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from mycanvas.dataset import Scene
from mycanvas.export.source import Source


def write_image_folder(source: Source, output: Path) -> None:
    """Write `images/`, `masks/`, and one line of metadata for each scene."""
    for folder in ("images", "masks"):
        (output / folder).mkdir(exist_ok=True)
    with (output / "metadata.jsonl").open("w", encoding="utf-8") as file:
        for split in source.counts:
            for scene in source.scenes(split):
                line = _line(scene)
                (output / line["file_name"]).write_bytes(scene.image)
                (output / line["mask_file_name"]).write_bytes(scene.mask)
                file.write(json.dumps(line) + "\n")


def _line(scene: Scene) -> dict[str, Any]:
    return {
        "file_name": f"images/{scene.id}.jpg",
        "mask_file_name": f"masks/{scene.id}.png",
        "text": scene.prompt,
        "id": scene.id,
        "split": scene.split,
        "caption": scene.caption,
        "long_caption": scene.long_caption,
        "background": scene.background,
        "composition": scene.composition,
        "concept_tokens": scene.concept_tokens,
        "class_names": scene.class_names,
        "boxes": scene.boxes,
        "source_images": scene.source_images,
    }
