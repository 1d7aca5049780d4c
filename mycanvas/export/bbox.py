"""SimpleTuner's grounding: pictures with captions and `.bbox` files, and `multidatabackend.json`.

Grounding also needs --max_grounding_entities of at least the number of objects. It exists for some models only, and a
LoRA with it trains the layers for grounding alone, so it teaches places, not the objects. Boxes do not follow crops, so
pictures are trained whole.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from mycanvas.export.boxes_as_text import bbox_file
from mycanvas.export.captions import one_line
from mycanvas.export.masks import size_of
from mycanvas.export.recipe import TRIGGERS, write_json
from mycanvas.export.sizes import most_frequent, square_side
from mycanvas.export.source import Source
from mycanvas.export.triggers import trigger_table, triggers_of, with_triggers


def write_bbox(source: Source, output: Path) -> None:
    """Write pictures with captions and boxes beside them, and last the configuration."""
    triggers = triggers_of(source.concepts, source.selection)
    by_token = {concept.token: triggers[concept.name] for concept in source.concepts}
    (output / "scenes").mkdir()
    sizes: Counter[tuple[int, int]] = Counter()
    for scene in source.scenes():
        path = output / "scenes" / f"{scene.id}.jpg"
        caption = with_triggers(scene.prompt, source.concepts, triggers)
        path.write_bytes(scene.image)
        path.with_suffix(".txt").write_text(one_line(caption, f"scene {scene.id}"), encoding="utf-8")
        path.with_suffix(".bbox").write_text(bbox_file(scene, size_of(scene), by_token), encoding="utf-8")
        sizes[size_of(scene)] += 1
    write_json(output / "multidatabackend.json", _backends(square_side(most_frequent(sizes))))
    write_json(output / TRIGGERS, trigger_table(source.concepts, triggers))


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
