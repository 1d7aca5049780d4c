"""OneTrainer: pictures with captions and masks beside them, its configuration, and the command for Z-Image.

A mask is `x-masklabel.png` beside `x.jpg`; without masked_training in the configuration it is ignored, and crop jitter,
on by default, would cut objects. Class pictures are predicted as the model did before the training.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mycanvas.errors import InputError
from mycanvas.export.captions import Z_IMAGE
from mycanvas.export.recipe import TRIGGERS, run_name, write_json, write_mask, write_picture, write_script
from mycanvas.export.source import Source
from mycanvas.export.training_set import HOLDOUT, PHOTOS, REGULARIZATION, SCENES, TrainingSet

MASK = "-masklabel"
"""The end of a mask's stem. OneTrainer does not train on pictures whose stems end with it, or with "-condlabel"."""
BACKGROUND_WEIGHT = 0.1
"""Weight in the loss of a pixel outside of the mask."""
CONFIG_VERSION, CONCEPT_VERSION = 11, 2
"""Versions of the configuration's keys; OneTrainer renames the keys of older ones."""
_TYPES = {SCENES: "STANDARD", PHOTOS: "STANDARD", HOLDOUT: "VALIDATION", REGULARIZATION: "PRIOR_PREDICTION"}


def write_onetrainer(source: Source, output: Path) -> None:
    """Write pictures, captions and masks, and last the configuration and the command."""
    pictures = TrainingSet(source, Z_IMAGE)
    for picture in pictures:
        if picture.stem.endswith((MASK, "-condlabel")):
            raise InputError(
                f"OneTrainer takes pictures whose names end with {MASK} or -condlabel for masks, got "
                f"{picture.stem}{picture.suffix}; rename the picture"
            )
        write_picture(output, picture)
        if picture.role != REGULARIZATION:
            write_mask(output / f"{picture.role}/{picture.stem}{MASK}.png", picture)
    write_json(output / "concepts.json", _concepts(pictures))
    write_json(output / "samples.json", [{"enabled": True, **sample} for sample in pictures.samples()])
    write_json(output / "config.json", _config(pictures, run_name(source)))
    write_json(output / TRIGGERS, pictures.trigger_table())
    arguments = {"MODEL": "Z-Image: a folder, or Tongyi-MAI/Z-Image", "ONETRAINER": "the folder of OneTrainer"}
    commands = [
        ["ln", "-sfn", "$ONETRAINER/resources", "resources"],  # OneTrainer reads it in the working folder
        [
            *("python", "$ONETRAINER/scripts/train.py", "--config-path", "config.json"),
            *("--config-value", "base_model_name=$MODEL"),
        ],
    ]
    write_script(output, arguments, commands, [pictures.summary()])


def _concepts(pictures: TrainingSet) -> list[dict[str, Any]]:
    repeats = pictures.repeats()
    return [
        {
            "__version": CONCEPT_VERSION,
            "name": role,
            "path": role,
            "seed": 0,
            "type": kind,
            "include_subdirectories": False,
            "balancing": float(repeats[role]),
            "balancing_strategy": "REPEATS",
            "image": {"enable_crop_jitter": False},
            "text": {"prompt_source": "sample"},
        }
        for role, kind in _TYPES.items()
        if pictures.counts[role]
    ]


def _config(pictures: TrainingSet, name: str) -> dict[str, Any]:
    return {
        "__version": CONFIG_VERSION,
        "model_type": "Z_IMAGE",
        "training_method": "LORA",
        "concept_file_name": "concepts.json",
        "sample_definition_file_name": "samples.json",
        "workspace_dir": "workspace",
        "cache_dir": "workspace-cache",
        "output_model_destination": f"trained/{name}.safetensors",
        "output_model_format": "DIFFUSERS_LORA",
        "resolution": str(pictures.resolution),
        "masked_training": True,
        "unmasked_weight": BACKGROUND_WEIGHT,
        "unmasked_probability": 0.1,
        "validation": bool(pictures.counts[HOLDOUT]),
        "batch_size": 1,
        "epochs": 30,
        "learning_rate": 1e-4,
        "lora_rank": 32,
        "lora_alpha": 32.0,
        "train_dtype": "BFLOAT_16",
        "output_dtype": "BFLOAT_16",
        "transformer": {"train": True, "weight_dtype": "FLOAT_8"},
        "text_encoder": {"train": False, "weight_dtype": "FLOAT_8"},
        "vae": {"weight_dtype": "FLOAT_32"},
        "timestep_distribution": "LOGIT_NORMAL",
    }
