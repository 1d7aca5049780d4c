"""diffusers' scripts read the built folder as it is: only the command is written, with the memory that it takes.

Without --caption_column every picture gets --instance_prompt, and without --center_crop pictures are cut at random. The
scripts keep all pictures and their tensors in memory, and take no part of a dataset. They read the split "train", which
only the config "all" of the dataset's card has.
"""

from __future__ import annotations

import logging
from collections import Counter
from pathlib import Path

from mycanvas.errors import InputError
from mycanvas.export.captions import CLIP, least_clip_tokens
from mycanvas.export.masks import size_of
from mycanvas.export.recipe import run_name, write_script
from mycanvas.export.sizes import largest
from mycanvas.export.source import Source
from mycanvas.io.messages import byte_size, counted

log = logging.getLogger("mycanvas")

CHANNELS, FLOAT_BYTES = 3, 4
CONFIG = "all"


def write_diffusers(source: Source, output: Path) -> None:
    """Write the command that trains SDXL on the dataset where it is.

    Raises:
        InputError: the dataset has no card that lists the config "all".
    """
    _check_card(source.folder)
    sizes: Counter[tuple[int, int]] = Counter()
    prompt, long = "", 0
    for scene in source.scenes():
        sizes[size_of(scene)] += 1
        prompt = prompt or scene.prompt
        long += least_clip_tokens(scene.prompt) > CLIP.tokens
    side = min(largest(sizes))
    if uncut := sum(count for (width, height), count in sizes.items() if width != height):
        log.warning("%s not square: diffusers' scripts cut them to squares; use a trainer with buckets", _are(uncut))
    if long:
        log.warning(
            "%s longer than the %d tokens that CLIP reads; the rest is cut off", counted(long, "prompt"), CLIP.tokens
        )
    memory = memory_bytes(sizes, side)
    notes = [
        f"The trainer keeps all {counted(sizes.total(), 'scene')} in memory: about {byte_size(memory)}.",
        "It trains on the whole dataset; for a part, export it as imagefolder with --composition, and give that folder",
        "as --dataset_name, without --dataset_config_name, with --caption_column text.",
    ]
    arguments = {
        "MODEL": "SDXL: a folder, or stabilityai/stable-diffusion-xl-base-1.0",
        "DIFFUSERS": "the folder of diffusers, a git clone",
    }
    write_script(output, arguments, [_command(source, side, prompt)], notes)


def _check_card(folder: Path) -> None:
    import datasets

    try:
        configs = datasets.get_dataset_config_names(str(folder.resolve()))
    except Exception:  # a damaged card
        configs = []
    if CONFIG not in configs:
        raise InputError(
            f'{folder / "README.md"} lists no config "{CONFIG}", whose split "train" diffusers\' scripts read; '
            "restore the card that `mycanvas build` wrote, or export as imagefolder"
        )


def memory_bytes(sizes: Counter[tuple[int, int]], side: int) -> int:
    """Memory of the pictures in a training script: each as decoded, and as a tensor of `side` x `side` floats."""
    decoded = sum(width * height * count for (width, height), count in sizes.items()) * CHANNELS
    return decoded + sizes.total() * side * side * CHANNELS * FLOAT_BYTES


def _are(count: int) -> str:
    return f"{counted(count, 'scene')} {'is' if count == 1 else 'are'}"


def _command(source: Source, side: int, prompt: str) -> list[str]:
    return [
        *("accelerate", "launch", "$DIFFUSERS/examples/dreambooth/train_dreambooth_lora_sdxl.py"),
        *("--pretrained_model_name_or_path", "$MODEL"),
        *("--dataset_name", str(source.folder.resolve()), "--dataset_config_name", CONFIG),
        *("--image_column", "image", "--caption_column", "prompt", "--instance_prompt", "a photo"),
        *("--resolution", str(side), "--center_crop"),
        *("--rank", "32", "--learning_rate", "1e-4", "--lr_scheduler", "constant", "--lr_warmup_steps", "0"),
        *("--train_batch_size", "1", "--max_train_steps", "2000", "--seed", "0"),
        *("--mixed_precision", "bf16", "--gradient_checkpointing"),
        *("--validation_prompt", " ".join(prompt.split()), "--validation_epochs", "10"),
        *("--output_dir", f"trained/{run_name(source)}"),
    ]
