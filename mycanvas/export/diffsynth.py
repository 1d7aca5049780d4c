"""DiffSynth-Studio: pictures, `metadata.jsonl`, and the command for Z-Image.

It has no masks, and no repeats for a part of the rows, so rows are repeated. JSON keeps captions as text, where the CSV
of its examples would read "NA" as nothing. Without --dataset_metadata_path it looks for caches instead of pictures.
"""

from __future__ import annotations

import math
from collections import defaultdict
from pathlib import Path

from mycanvas.export.captions import Z_IMAGE
from mycanvas.export.recipe import TRIGGERS, write_json, write_json_lines, write_picture, write_script
from mycanvas.export.source import Source
from mycanvas.export.training_set import TrainingSet

SIDE_STEP = 16
"""Sides of pictures are cut to multiples of this."""


def write_diffsynth(source: Source, output: Path) -> None:
    """Write pictures, then their rows and the command."""
    pictures = TrainingSet(source, Z_IMAGE)
    rows: defaultdict[str, list[dict[str, str]]] = defaultdict(list)
    for picture in pictures:
        write_picture(output, picture)
        rows[picture.role].append({"image": picture.path, "prompt": picture.caption})
    repeats = pictures.repeats()
    write_json_lines(output / "metadata.jsonl", (row for role, own in rows.items() for row in own * repeats[role]))
    write_json(output / TRIGGERS, pictures.trigger_table())
    pixels = max(math.prod(pictures.size), SIDE_STEP**2)
    arguments = {
        "MODEL": "Z-Image's files, as DiffSynth names them: "
        '"Tongyi-MAI/Z-Image:transformer/*.safetensors,Tongyi-MAI/Z-Image:text_encoder/*.safetensors,'
        'Tongyi-MAI/Z-Image:vae/diffusion_pytorch_model.safetensors"',
        "DIFFSYNTH": "the folder of DiffSynth-Studio",
    }
    write_script(output, arguments, [_command(pixels)], [pictures.summary()])


def _command(pixels: int) -> list[str]:
    return [
        *("accelerate", "launch", "$DIFFSYNTH/examples/z_image/model_training/train.py"),
        *("--dataset_base_path", ".", "--dataset_metadata_path", "metadata.jsonl", "--data_file_keys", "image"),
        *("--max_pixels", str(pixels), "--dataset_repeat", "1", "--dataset_num_workers", "2"),
        *("--model_id_with_origin_paths", "$MODEL"),
        *("--learning_rate", "1e-4", "--num_epochs", "30"),
        *("--lora_base_model", "dit", "--lora_target_modules", "to_q,to_k,to_v,to_out.0,w1,w2,w3"),
        *("--lora_rank", "32", "--remove_prefix_in_ckpt", "pipe.dit."),
        *("--use_gradient_checkpointing", "--output_path", "trained"),
    ]
