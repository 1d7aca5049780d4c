"""SimpleTuner: pictures, captions and masks, `multidatabackend.json`, sample prompts, and the command for Z-Image.

A mask has the relative path of its picture, suffix included; if the names differ, SimpleTuner trains without masks,
after one warning. So masks are encoded in the format of their pictures.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from mycanvas.export.captions import Z_IMAGE
from mycanvas.export.recipe import TRIGGERS, run_name, write_json, write_picture, write_script
from mycanvas.export.source import Source
from mycanvas.export.training_set import HOLDOUT, PHOTOS, SCENES, Picture, TrainingSet

_ENCODINGS: dict[str, dict[str, Any]] = {
    ".jpg": {"format": "JPEG", "quality": 95},
    ".png": {"format": "PNG"},
    ".webp": {"format": "WEBP", "lossless": True},
}
"""How Pillow encodes a mask, by its picture's suffix. A JPEG blurs the outline by a pixel or two."""


def write_simpletuner(source: Source, output: Path) -> None:
    """Write pictures, captions and masks, and last the configuration and the command."""
    pictures = TrainingSet(source, Z_IMAGE)
    for picture in pictures:
        write_picture(output, picture)
        if picture.role != HOLDOUT:
            _write_mask(output / "masks" / picture.path, picture)
    write_json(output / "multidatabackend.json", _backends(pictures))
    prompts = {f"sample{number}": prompt for number, prompt in enumerate(pictures.prompts, 1)}
    write_json(output / "user_prompt_library.json", prompts)
    write_json(output / TRIGGERS, pictures.trigger_table())
    arguments = {"MODEL": "Z-Image: a folder, or Tongyi-MAI/Z-Image"}
    write_script(output, arguments, [_command(pictures, run_name(source))], [pictures.summary()])


def _write_mask(path: Path, picture: Picture) -> None:
    from PIL import Image

    encoded = io.BytesIO()
    Image.fromarray(picture.mask).convert("RGB").save(encoded, **_ENCODINGS[picture.suffix])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encoded.getvalue())


def _backends(pictures: TrainingSet) -> list[dict[str, Any]]:
    common = {
        "type": "local",
        "resolution": pictures.resolution,
        "resolution_type": "pixel_area",
        "minimum_image_size": 0,
        "crop": False,
    }
    repeats = pictures.repeats()
    backends: list[dict[str, Any]] = []
    for role in (SCENES, PHOTOS):
        if pictures.counts[role]:
            backends += [
                {
                    "id": role,
                    "dataset_type": "image",
                    "instance_data_dir": role,
                    "caption_strategy": "textfile",
                    "repeats": repeats[role] - 1,  # SimpleTuner counts further showings
                    "cache_dir_vae": f"cache/vae/{role}",
                    "conditioning_data": [f"{role}-masks"],
                    **common,
                },
                {
                    "id": f"{role}-masks",
                    "dataset_type": "conditioning",
                    "conditioning_type": "mask",
                    "instance_data_dir": f"masks/{role}",
                    **common,
                },
            ]
    if pictures.counts[HOLDOUT]:
        backends.append(
            {
                "id": HOLDOUT,
                "dataset_type": "eval",
                "instance_data_dir": HOLDOUT,
                "caption_strategy": "textfile",
                "cache_dir_vae": f"cache/vae/{HOLDOUT}",
                **common,
            }
        )
    embeds = {"id": "text-embeds", "dataset_type": "text_embeds", "default": True, "type": "local"}
    return [*backends, {**embeds, "cache_dir": "cache/text"}]


def _command(pictures: TrainingSet, name: str) -> list[str]:
    width, height = pictures.size
    options = {
        "model_family": "z_image",
        "model_flavour": "base",
        "model_type": "lora",
        "pretrained_model_name_or_path": "$MODEL",
        "data_backend_config": "multidatabackend.json",
        "resolution": pictures.resolution,
        "resolution_type": "pixel_area",
        "minimum_image_size": 0,
        "train_batch_size": 1,
        "max_train_steps": 2000,
        "num_train_epochs": 0,
        "learning_rate": "1e-4",
        "lr_scheduler": "constant_with_warmup",
        "lr_warmup_steps": 100,
        "optimizer": "adamw_bf16",
        "lora_rank": 32,
        "mixed_precision": "bf16",
        "base_model_precision": "int8-torchao",
        "gradient_checkpointing": "true",
        "caption_dropout_probability": 0.0,
        "checkpoint_step_interval": 500,
        "validation_steps": 500,
        "validation_prompt": pictures.prompts[0],
        "user_prompt_library": "user_prompt_library.json",
        "validation_resolution": f"{width}x{height}",
        "output_dir": f"trained/{name}",
        "report_to": "none",
        "seed": 0,
    }
    if pictures.counts[HOLDOUT]:
        options |= {"eval_steps_interval": 500, "num_eval_images": pictures.counts[HOLDOUT]}
    return [
        "env",
        "CONFIG_BACKEND=cmd",
        "simpletuner",
        "train",
        *(f"--{key}={value}" for key, value in options.items()),
    ]
