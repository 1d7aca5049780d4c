"""musubi-tuner's control images: JSONL of pairs, `dataset.toml`, and the commands for Qwen-Image-Edit-2511.

Several control images are read for Qwen-Image-Edit-2509 and -2511, FLUX.2 and HiDream-O1; other models ignore them
silently. Each number of references is a dataset of its own, with a cache of its own, because caches are found by
the names of pictures. Paths are relative to the exported folder, where the commands run.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from mycanvas.export.musubi_qwen import qwen_image_commands
from mycanvas.export.pairs import Pair, write_pairs
from mycanvas.export.recipe import run_name, write_dataset_toml, write_json_lines, write_script
from mycanvas.export.sizes import largest
from mycanvas.export.source import Source

CONTROL_RESOLUTION = [1024, 1024]
"""As in Qwen's own code; references keep their shape and have at most as many pixels."""
VERSION = "edit-2511"


def write_musubi_edit(source: Source, output: Path) -> None:
    """Write pictures, JSONL, configuration and commands."""
    groups = write_pairs(source, output)
    for count, pairs in groups.items():
        write_json_lines(output / f"pairs_{count}.jsonl", map(_row, pairs))
    sizes = Counter(pair.size for pairs in groups.values() for pair in pairs)
    config = {
        "general": {
            "resolution": list(largest(sizes)),
            "batch_size": 1,
            "enable_bucket": True,
            "bucket_no_upscale": True,
        },
        "datasets": [_dataset(count) for count in groups],
    }
    write_dataset_toml(output, "musubi-tuner", config)
    arguments = {
        "MODEL": "qwen_image_edit_2511_bf16.safetensors",
        "VAE": "the VAE of Qwen-Image",
        "TEXT_ENCODER": "qwen_2.5_vl_7b.safetensors",
        "MUSUBI": "the folder of musubi-tuner",
    }
    write_script(output, arguments, qwen_image_commands(VERSION, run_name(source)))


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
