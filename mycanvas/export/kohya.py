"""kohya's sd-scripts: pictures, captions and masks, `dataset.toml`, sample prompts, and the command for SDXL.

A subset needs a mask for each of its pictures and no others; so each role has a folder of its own, and class pictures
and held-out scenes, which have no masks here, are datasets of their own. Without --masked_loss on the command line
sd-scripts refuses the key of the masks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from mycanvas.export.captions import CLIP
from mycanvas.export.recipe import (
    TRIGGERS,
    run_name,
    write_dataset_toml,
    write_json,
    write_mask,
    write_picture,
    write_script,
)
from mycanvas.export.sizes import largest
from mycanvas.export.source import Source
from mycanvas.export.training_set import HOLDOUT, PHOTOS, REGULARIZATION, SCENES, TrainingSet

BUCKET_STEP = 64
"""Sides of sd-scripts' buckets are multiples of this; SD, SDXL, FLUX and its other models all accept it."""
LEAST_BUCKET, LARGEST_BUCKET = 256, 1024
"""sd-scripts' own limits of a bucket's sides. It refuses a resolution beyond them, so they follow the scenes' size."""
PARTS = 3
"""sd-scripts reads a caption in up to three parts of 75 tokens, if --max_token_length is 225."""

CLASS_PICTURES = (
    "Class pictures have no is_reg: sd-scripts has none in datasets with masks, and in one of their own it registers "
    "nothing. So they are trained as other pictures are, with the caption of their class."
)


def write_kohya(source: Source, output: Path) -> None:
    """Write pictures, captions and masks, and last the configuration and the command."""
    pictures = TrainingSet(source, replace(CLIP, tokens=PARTS * CLIP.tokens))
    for picture in pictures:
        write_picture(output, picture)
        if picture.role in {SCENES, PHOTOS}:
            write_mask(output / f"masks/{picture.role}/{picture.stem}.png", picture)
    note = CLASS_PICTURES if pictures.counts[REGULARIZATION] else None
    write_dataset_toml(output, "sd-scripts", _config(pictures), note)
    write_json(output / "sample_prompts.json", pictures.samples())
    write_json(output / TRIGGERS, pictures.trigger_table())
    arguments = {"MODEL": "an SDXL checkpoint or folder", "SD_SCRIPTS": "the folder of sd-scripts"}
    write_script(output, arguments, [_command(run_name(source))], [pictures.summary()])


def _config(pictures: TrainingSet) -> dict[str, Any]:
    repeats = pictures.repeats()
    masked = [
        {"image_dir": role, "conditioning_data_dir": f"masks/{role}", "num_repeats": repeats[role]}
        for role in (SCENES, PHOTOS)
        if pictures.counts[role]
    ]
    datasets: list[dict[str, Any]] = [{"subsets": masked}]
    if pictures.counts[REGULARIZATION]:
        datasets.append({"subsets": [{"image_dir": REGULARIZATION, "num_repeats": 1}]})
    if pictures.counts[HOLDOUT]:
        datasets.append({"validation_split": 1.0, "subsets": [{"image_dir": HOLDOUT, "num_repeats": 1}]})
    buckets = _buckets(pictures.sizes)
    return {
        "general": {
            "caption_extension": ".txt",
            "enable_bucket": True,
            "bucket_no_upscale": pictures.least_side >= BUCKET_STEP,  # sd-scripts divides by 0 for smaller ones
        },
        "datasets": [{"batch_size": 1, **buckets, **dataset} for dataset in datasets],
    }


def _buckets(sizes: Mapping[tuple[int, int], int]) -> dict[str, Any]:
    """The limits of buckets, which have at most the area of `resolution`."""
    least = max(BUCKET_STEP, min(LEAST_BUCKET, min(map(min, sizes)) // BUCKET_STEP * BUCKET_STEP))
    most = max(LARGEST_BUCKET, -(-max(map(max, sizes)) // BUCKET_STEP) * BUCKET_STEP)
    return {"resolution": list(largest(sizes)), "min_bucket_reso": least, "max_bucket_reso": most}


def _command(name: str) -> list[str]:
    return [
        *("accelerate", "launch", "--num_cpu_threads_per_process", "1", "$SD_SCRIPTS/sdxl_train_network.py"),
        *("--pretrained_model_name_or_path", "$MODEL"),
        *("--dataset_config", "dataset.toml", "--masked_loss"),
        *("--max_token_length", str(PARTS * CLIP.tokens)),
        *("--network_module", "networks.lora", "--network_dim", "32", "--network_alpha", "32"),
        *("--network_train_unet_only", "--learning_rate", "1e-4", "--max_train_steps", "2000", "--seed", "0"),
        *("--mixed_precision", "bf16", "--sdpa", "--gradient_checkpointing"),
        *("--sample_prompts", "sample_prompts.json", "--sample_every_n_steps", "500"),
        *("--output_dir", "trained", "--output_name", name, "--save_model_as", "safetensors"),
    ]
