"""ai-toolkit: pictures, captions and masks, `config.json`, and the command for Z-Image.

Its folders are read with all folders in them, so masks are beside the pictures' folder, not in it. `mask_min_value`
keeps a weight on the background: where every pixel of a mask at the latents' size is black, the loss is divided by 0.
Pictures with more pixels than the square of `resolution` are cropped, so it follows the largest.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mycanvas.export.captions import Z_IMAGE
from mycanvas.export.recipe import TRIGGERS, run_name, write_json, write_mask, write_picture, write_script
from mycanvas.export.sizes import enclosing_side
from mycanvas.export.source import Source
from mycanvas.export.training_set import PHOTOS, REGULARIZATION, SCENES, TrainingSet

BACKGROUND_WEIGHT = 0.1
"""The least weight of a pixel in the loss, as in ai-toolkit's own interface."""
REPLACED = ("${", "[name]", "[trigger]")
"""Parts of a configuration's text that ai-toolkit replaces."""


def write_ai_toolkit(source: Source, output: Path) -> None:
    """Write pictures, captions and masks, and last the configuration and the command."""
    pictures = TrainingSet(source, Z_IMAGE)
    for picture in pictures:
        write_picture(output, picture)
        if picture.role != REGULARIZATION:
            write_mask(output / f"masks/{picture.role}/{picture.stem}.png", picture)
    write_json(output / "config.json", _config(pictures, run_name(source)))
    write_json(output / TRIGGERS, pictures.trigger_table())
    arguments = {"MODEL": "Z-Image: a folder, or Tongyi-MAI/Z-Image", "AI_TOOLKIT": "the folder of ai-toolkit"}
    write_script(
        output,
        arguments,
        [["env", "MODEL=$MODEL", "python", "$AI_TOOLKIT/run.py", "config.json"]],
        [pictures.summary()],
    )


def _config(pictures: TrainingSet, name: str) -> dict[str, Any]:
    width, height = pictures.size
    process = {
        "type": "diffusion_trainer",
        "training_folder": "trained",
        "device": "cuda",
        "network": {"type": "lora", "linear": 32, "linear_alpha": 32},
        "save": {"dtype": "bf16", "save_every": 500, "max_step_saves_to_keep": 4},
        "datasets": _datasets(pictures),
        "train": {
            "batch_size": 1,
            "steps": 2000,
            "gradient_checkpointing": True,
            "noise_scheduler": "flowmatch",
            "timestep_type": "weighted",
            "optimizer": "adamw8bit",
            "lr": 1e-4,
            "dtype": "bf16",
        },
        "model": {
            "name_or_path": "${MODEL}",
            "arch": "zimage",
            "quantize": True,
            "quantize_te": True,
            "low_vram": True,
        },
        "sample": {
            "sampler": "flowmatch",
            "sample_every": 500,
            "width": width,
            "height": height,
            "guidance_scale": 4,
            "sample_steps": 30,
            "prompts": [prompt for prompt in pictures.prompts if not any(part in prompt for part in REPLACED)],
        },
    }
    return {
        "job": "extension",
        "config": {"name": name, "process": [process]},
        "meta": {"name": "[name]", "triggers": list(pictures.triggers.values())},
    }


def _datasets(pictures: TrainingSet) -> list[dict[str, Any]]:
    common = {"caption_ext": "txt", "resolution": [enclosing_side(pictures.size)], "random_crop": False}
    repeats = pictures.repeats()
    datasets: list[dict[str, Any]] = [
        {
            "folder_path": role,
            "mask_path": f"masks/{role}",
            "mask_min_value": BACKGROUND_WEIGHT,
            "num_repeats": repeats[role],
            **common,
        }
        for role in (SCENES, PHOTOS)
        if pictures.counts[role]
    ]
    if pictures.counts[REGULARIZATION]:
        datasets.append({"folder_path": REGULARIZATION, "is_reg": True, **common})
    return datasets
