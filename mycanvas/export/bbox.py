"""SimpleTuner's grounding: pictures with captions and `.bbox` files, and `multidatabackend.json`.

Grounding also needs --max_grounding_entities of at least the number of objects. It exists for some models only, and a
LoRA with it trains the layers for grounding alone, so it teaches places, not the objects. Boxes do not follow crops, so
pictures are trained whole.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mycanvas.dataset import Scene
from mycanvas.export.boxes_as_text import bbox_file, write_scenes
from mycanvas.export.recipe import write_json
from mycanvas.export.sizes import largest, square_side
from mycanvas.export.source import Source
from mycanvas.schema import MAX_OBJECTS

NEXT_STEP = (
    "Train in this folder with SimpleTuner: --data_backend_config multidatabackend.json",
    f"  --max_grounding_entities {MAX_OBJECTS}, and a model that has grounding, as SDXL has.",
)


def write_bbox(source: Source, output: Path) -> None:
    """Write pictures with captions and boxes beside them, and last the configuration."""
    sizes = write_scenes(source, output, _texts, encoder="PixArt's T5 or Sana's Gemma")
    write_json(output / "multidatabackend.json", _backends(square_side(largest(sizes))))


def _texts(scene: Scene, size: tuple[int, int], caption: str, triggers: Mapping[str, str]) -> Mapping[str, str]:
    return {".txt": caption, ".bbox": bbox_file(scene, size, triggers)}


def _backends(resolution: int) -> list[dict[str, Any]]:
    return [
        {
            "id": "scenes",
            "type": "local",
            "dataset_type": "image",
            "instance_data_dir": "scenes",
            "caption_strategy": "textfile",
            "resolution": resolution,
            "resolution_type": "pixel_area",
            "minimum_image_size": 0,
            "crop": False,
            "grounding": {"enabled": True},
            "cache_dir_vae": "cache/vae",
            "repeats": 0,
        },
        {
            "id": "text-embeds",
            "type": "local",
            "dataset_type": "text_embeds",
            "default": True,
            "cache_dir": "cache/text",
        },
    ]
