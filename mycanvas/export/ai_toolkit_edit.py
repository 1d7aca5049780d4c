"""ai-toolkit's control images: scenes, captions, folders of references, and `config.json` for Qwen-Image-Edit-2511.

    scenes_2/<id>.jpg, <id>.txt           scenes with two references
    references_2/1/<id>.jpg, 2/<id>.jpg   their references, in order

A reference is found by the scene's name, and a missing one would move those after it; so each number of references is a
dataset of its own, with as many folders. They are beside the scenes, because ai-toolkit trains on every picture within
the scenes' folder.
"""

from __future__ import annotations

import shutil
from collections import Counter
from itertools import chain
from pathlib import Path, PurePosixPath
from typing import Any

from mycanvas.export.ai_toolkit import REPLACED
from mycanvas.export.pairs import Pair, sample_pairs, write_pairs
from mycanvas.export.recipe import run_name, write_json, write_script
from mycanvas.export.sizes import enclosing_side, largest
from mycanvas.export.source import Source

SAMPLES = 4
CONTROLS_OF_A_SAMPLE = 3
"""The most control images that a sample picture of ai-toolkit can have."""


def write_ai_toolkit_edit(source: Source, output: Path) -> None:
    """Write scenes, captions, references, the configuration and the command."""
    groups = write_pairs(source, output)
    for count, pairs in groups.items():
        (output / f"scenes_{count}").mkdir()
        for index in range(count):
            (output / f"references_{count}/{index + 1}").mkdir(parents=True)
        for pair in pairs:
            path = output / f"scenes_{count}/{pair.scene.id}.jpg"
            (output / pair.image).rename(path)
            path.with_suffix(".txt").write_text(pair.caption, encoding="utf-8")
            for index in range(count):
                shutil.copyfile(output / pair.references[index], output / _control(pair, index))
    shutil.rmtree(output / "references")
    (output / "scenes").rmdir()
    write_json(output / "config.json", _config(source, groups))
    arguments = {
        "MODEL": "Qwen-Image-Edit-2511: a folder, or Qwen/Qwen-Image-Edit-2511",
        "AI_TOOLKIT": "the folder of ai-toolkit",
    }
    write_script(output, arguments, [["env", "MODEL=$MODEL", "python", "$AI_TOOLKIT/run.py", "config.json"]])


def _control(pair: Pair, index: int) -> str:
    """The path of one reference: named after the scene, in the folder of its position."""
    suffix = PurePosixPath(pair.references[index]).suffix
    return f"references_{len(pair.references)}/{index + 1}/{pair.scene.id}{suffix}"


def _config(source: Source, groups: dict[int, list[Pair]]) -> dict[str, Any]:
    sizes = Counter(pair.size for pair in chain.from_iterable(groups.values()))
    resolution = enclosing_side(largest(sizes))
    datasets = [
        {
            "folder_path": f"scenes_{count}",
            "control_path": [f"references_{count}/{index + 1}" for index in range(count)],
            "full_size_control_images": True,
            "caption_ext": "txt",
            "caption_dropout_rate": 0.05,
            "resolution": [resolution],
        }
        for count in groups
    ]
    process = {
        "type": "diffusion_trainer",
        "training_folder": "trained",
        "device": "cuda:0",
        "network": {"type": "lora", "linear": 32, "linear_alpha": 32},
        "save": {"dtype": "float16", "save_every": 500, "max_step_saves_to_keep": 4},
        "datasets": datasets,
        "train": {
            "batch_size": 1,
            "steps": 2000,
            "gradient_accumulation": 1,
            "timestep_type": "weighted",
            "train_unet": True,
            "train_text_encoder": False,
            "gradient_checkpointing": True,
            "cache_text_embeddings": True,
            "noise_scheduler": "flowmatch",
            "optimizer": "adamw8bit",
            "lr": 0.0001,
            "dtype": "bf16",
        },
        "model": {
            "name_or_path": "${MODEL}",
            "arch": "qwen_image_edit_plus:2511",
            "quantize": True,
            "qtype": "qfloat8",
            "quantize_te": True,
            "qtype_te": "qfloat8",
            "low_vram": True,
        },
        "sample": _samples(groups),
    }
    return {"job": "extension", "config": {"name": run_name(source), "process": [process]}}


def _samples(groups: dict[int, list[Pair]]) -> dict[str, Any]:
    """Prompts of different compositions, with no more references than a sample can have."""
    usable = (
        pair
        for pair in chain.from_iterable(groups.values())
        if len(pair.references) <= CONTROLS_OF_A_SAMPLE and not any(part in pair.caption for part in REPLACED)
    )
    chosen = sample_pairs(usable, SAMPLES)
    width, height = chosen[0].size if chosen else (1024, 1024)
    samples = [
        {
            "prompt": pair.caption,
            **{f"ctrl_img_{index + 1}": _control(pair, index) for index in range(len(pair.references))},
        }
        for pair in chosen
    ]
    return {
        "sampler": "flowmatch",
        "sample_every": 500,
        "width": width,
        "height": height,
        "samples": samples,
        "neg": "",
        "seed": 0,
        "guidance_scale": 3,
        "sample_steps": 25,
    }
