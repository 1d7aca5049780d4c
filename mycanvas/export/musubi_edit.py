"""musubi-tuner's control images: JSONL of pairs, `dataset.toml`, and the commands for Qwen-Image-Edit-2511.

Several control images are read for Qwen-Image-Edit-2509 and -2511, FLUX.2 and HiDream-O1; other models ignore them
without a word. Each number of references is a dataset of its own, with a cache of its own, because caches are found by
the names of pictures. Paths are relative to the exported folder, where the commands run.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

from mycanvas.export.pairs import Pair, write_pairs
from mycanvas.export.recipe import run_name, toml_text, write_script
from mycanvas.export.source import Source
from mycanvas.export.training_set import most_frequent

CONTROL_RESOLUTION = [1024, 1024]
"""Size of control images in Qwen's own code: references keep their shape, within as many pixels."""
VERSION = "edit-2511"

_HEAD = "# For --dataset_config of musubi-tuner. Paths are relative to this folder: run the trainer here.\n"


def write_musubi_edit(source: Source, output: Path) -> None:
    """Write pictures, JSONL, configuration and commands."""
    groups = write_pairs(source, output)
    for count, pairs in groups.items():
        lines = "".join(json.dumps(_row(pair)) + "\n" for pair in pairs)
        (output / f"pairs_{count}.jsonl").write_text(lines, encoding="utf-8")
    sizes = Counter(pair.size for pairs in groups.values() for pair in pairs)
    config = {
        "general": {
            "resolution": list(most_frequent(sizes)),
            "batch_size": 1,
            "enable_bucket": True,
            "bucket_no_upscale": True,
        },
        "datasets": [_dataset(count) for count in groups],
    }
    (output / "dataset.toml").write_text(_HEAD + toml_text(config), encoding="utf-8")
    arguments = {
        "MUSUBI": "the folder of musubi-tuner",
        "DIT": "qwen_image_edit_2511_bf16.safetensors",
        "VAE": "the VAE of Qwen-Image",
        "TEXT_ENCODER": "qwen_2.5_vl_7b.safetensors",
    }
    write_script(output, arguments, _commands(source))


def _row(pair: Pair) -> dict[str, Any]:
    controls = {f"control_path_{index}": path for index, path in enumerate(pair.references)}
    return {"image_path": pair.image, **controls, "caption": pair.caption}


def _dataset(count: int) -> dict[str, Any]:
    return {
        "image_jsonl_file": f"pairs_{count}.jsonl",
        "cache_directory": f"cache/{count}",
        "control_resolution": CONTROL_RESOLUTION,
        "num_repeats": 1,
    }


def _commands(source: Source) -> list[list[str]]:
    scripts, data = "$MUSUBI/src/musubi_tuner", ["--dataset_config", "dataset.toml", "--model_version", VERSION]
    return [
        ["python", f"{scripts}/qwen_image_cache_latents.py", *data, "--vae", "$VAE"],
        ["python", f"{scripts}/qwen_image_cache_text_encoder_outputs.py", *data, "--text_encoder", "$TEXT_ENCODER"],
        [
            *("accelerate", "launch", "--num_cpu_threads_per_process", "1", "--mixed_precision", "bf16"),
            *(f"{scripts}/qwen_image_train_network.py", *data),
            *("--dit", "$DIT", "--vae", "$VAE", "--text_encoder", "$TEXT_ENCODER"),
            *("--sdpa", "--mixed_precision", "bf16", "--gradient_checkpointing", "--fp8_base", "--fp8_scaled"),
            *("--timestep_sampling", "shift", "--discrete_flow_shift", "2.2", "--weighting_scheme", "none"),
            *("--network_module", "networks.lora_qwen_image", "--network_dim", "32", "--network_alpha", "32"),
            *("--optimizer_type", "adamw8bit", "--learning_rate", "1e-4", "--max_train_steps", "2000", "--seed", "0"),
            *("--output_dir", "trained", "--output_name", run_name(source)),
        ],
    ]
