"""Pictures of classes that a model makes before its training, so that it keeps showing them."""

from __future__ import annotations

import hashlib
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from mycanvas.dataset import file_name
from mycanvas.dataset.class_pictures import ClassPicture
from mycanvas.english import with_article
from mycanvas.io.files import results_cache
from mycanvas.io.images import read_file
from mycanvas.training.data import Arm

if TYPE_CHECKING:
    from accelerate import Accelerator

STEPS = 50


def made_class_pictures(arm: Arm, version: str, kept: Path, processes: Accelerator) -> list[ClassPicture]:
    """Pictures of each class by an arm's model, of this version, made once for all of its trainings.

    They are kept in the user's cache, or in the folder `kept` where it is turned off. Each process makes its share:
    for one that made them all, the others would wait longer than NCCL lets them.
    """
    key = hashlib.sha256(f"{version} {arm.resolution} {STEPS}".encode()).hexdigest()[:16]
    folder, size = (results_cache("class_pictures") or kept) / key, (arm.resolution, arm.resolution)
    seeds, nouns = range(arm.settings.class_pictures), sorted({each.class_name for each in arm.concepts})
    files = {folder / file_name(noun) / f"{seed}.jpg": (noun, seed) for noun in nouns for seed in seeds}
    captions = {noun: f"photo of {with_article(noun)}" for noun in nouns}
    share = list(files.items())[processes.process_index :: processes.num_processes]
    arm.model.generate({file: (captions[noun], seed) for file, (noun, seed) in share}, arm.resolution, STEPS)
    processes.wait_for_everyone()
    about = partial(ClassPicture, suffix=".jpg", size=size)
    return [
        about(class_name=noun, name=str(file), image=read_file(file), caption=captions[noun])
        for file, (noun, _) in files.items()
    ]
