"""musubi-tuner: pictures and captions, `dataset.toml`, and the commands for Z-Image.

It has no masks. `caption_extension` has no default, and pictures without it vanish; caches are named after stems, so
each folder has a cache of its own. Without bucket_no_upscale, pictures are cropped to the shapes of its own buckets.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mycanvas.export.captions import Z_IMAGE
from mycanvas.export.recipe import TRIGGERS, run_name, write_dataset_toml, write_json, write_picture, write_script
from mycanvas.export.source import Source
from mycanvas.export.training_set import PHOTOS, SCENES, TrainingSet

SIDE_STEP = 16
"""Sides of musubi-tuner's buckets are multiples of this."""


def write_musubi(source: Source, output: Path) -> None:
    """Write pictures and captions, and last the configuration and the commands."""
    pictures = TrainingSet(source, Z_IMAGE)
    for picture in pictures:
        write_picture(output, picture)
    write_dataset_toml(output, "musubi-tuner", _config(pictures))
    write_json(output / "sample_prompts.json", pictures.samples())
    write_json(output / TRIGGERS, pictures.trigger_table())
    arguments = {
        "MODEL": "the file of Z-Image's transformer",
        "VAE": "the file of its VAE",
        "TEXT_ENCODER": "the file of its text encoder",
        "MUSUBI": "the folder of musubi-tuner",
    }
    write_script(output, arguments, _commands(run_name(source)), [pictures.summary()])


def _config(pictures: TrainingSet) -> dict[str, Any]:
    repeats = pictures.repeats()
    return {
        "general": {
            "resolution": list(pictures.size),
            "caption_extension": ".txt",
            "batch_size": 1,
            "enable_bucket": True,
            "bucket_no_upscale": pictures.least_side >= SIDE_STEP,  # buckets of smaller ones would have no pixels
        },
        "datasets": [
            {"image_directory": role, "cache_directory": f"cache/{role}", "num_repeats": repeats[role]}
            for role in (SCENES, PHOTOS)
            if pictures.counts[role]
        ],
    }


def _commands(name: str) -> list[list[str]]:
    scripts, config = "$MUSUBI/src/musubi_tuner", ["--dataset_config", "dataset.toml"]
    encoders = ["--vae", "$VAE", "--text_encoder", "$TEXT_ENCODER"]
    return [
        ["python", f"{scripts}/zimage_cache_latents.py", *config, "--vae", "$VAE"],
        [
            *("python", f"{scripts}/zimage_cache_text_encoder_outputs.py", *config),
            *("--text_encoder", "$TEXT_ENCODER", "--batch_size", "16"),
        ],
        [
            *("accelerate", "launch", "--num_cpu_threads_per_process", "1", "--mixed_precision", "bf16"),
            *(f"{scripts}/zimage_train_network.py", "--dit", "$MODEL", *encoders, *config),
            *("--sdpa", "--mixed_precision", "bf16", "--gradient_checkpointing"),
            *("--timestep_sampling", "shift", "--weighting_scheme", "none", "--discrete_flow_shift", "2.0"),
            *("--optimizer_type", "adamw8bit", "--learning_rate", "1e-4", "--max_train_steps", "2000", "--seed", "0"),
            *("--network_module", "networks.lora_zimage", "--network_dim", "32"),
            *("--sample_prompts", "sample_prompts.json", "--sample_every_n_steps", "500"),
            *("--output_dir", "trained", "--output_name", name),
        ],
    ]
