"""Ideogram 4: pictures with captions that contain boxes, and the configuration and commands of musubi-tuner.

ai-toolkit and SimpleTuner also read the folder of pictures.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mycanvas.dataset import Scene
from mycanvas.export.boxes_as_text import ideogram_caption, write_scenes
from mycanvas.export.recipe import run_name, write_dataset_toml, write_script
from mycanvas.export.sizes import largest
from mycanvas.export.source import Source


def write_ideogram4(source: Source, output: Path) -> None:
    """Write pictures and captions, and last the configuration and the commands."""
    sizes = write_scenes(source, output, _texts, encoder="Ideogram 4's Qwen3-VL")
    write_dataset_toml(output, "musubi-tuner", _config(largest(sizes)))
    arguments = {
        "MODEL": "ideogram4_fp8_scaled.safetensors",
        "VAE": "flux2-vae.safetensors",
        "TEXT_ENCODER": "qwen3vl_8b_fp8_scaled.safetensors",
        "MUSUBI": "the folder of musubi-tuner",
    }
    write_script(output, arguments, _commands(source))


def _texts(scene: Scene, size: tuple[int, int], caption: str, triggers: Mapping[str, str]) -> Mapping[str, str]:
    return {".txt": ideogram_caption(scene, size, caption, triggers)}


def _config(resolution: tuple[int, int]) -> dict[str, Any]:
    return {
        "general": {
            "resolution": list(resolution),
            "caption_extension": ".txt",
            "batch_size": 1,
            "enable_bucket": True,
            "bucket_no_upscale": True,
        },
        "datasets": [{"image_directory": "scenes", "cache_directory": "cache", "num_repeats": 1}],
    }


def _commands(source: Source) -> list[list[str]]:
    scripts, data = "$MUSUBI/src/musubi_tuner", ["--dataset_config", "dataset.toml"]
    text = ["--text_encoder", "$TEXT_ENCODER", "--validate_caption_structure"]
    return [
        ["python", f"{scripts}/ideogram4_cache_latents.py", *data, "--vae", "$VAE"],
        ["python", f"{scripts}/ideogram4_cache_text_encoder_outputs.py", *data, *text],
        [
            *("accelerate", "launch", "--num_cpu_threads_per_process", "1", "--mixed_precision", "bf16"),
            *(f"{scripts}/ideogram4_train_network.py", *data, "--dit", "$MODEL"),
            *("--sdpa", "--mixed_precision", "bf16", "--gradient_checkpointing"),
            *("--network_module", "networks.lora_ideogram4", "--network_dim", "32", "--network_alpha", "32"),
            *("--learning_rate", "1e-4", "--max_train_steps", "2000", "--seed", "0"),
            *("--output_dir", "trained", "--output_name", run_name(source)),
        ],
    ]
