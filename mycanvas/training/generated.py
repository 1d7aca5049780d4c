"""Pictures of classes that a model makes before its training, so that it keeps showing them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from mycanvas.dataset import file_name
from mycanvas.dataset.class_pictures import ClassPicture
from mycanvas.english import with_article
from mycanvas.io.files import results_cache
from mycanvas.io.images import read_file
from mycanvas.models.trainable import StableDiffusion

STEPS = 50


def made_class_pictures(
    model: StableDiffusion, version: str, nouns: Sequence[str], count: int, resolution: int, kept: Path
) -> list[ClassPicture]:
    """`count` pictures of each class by a model of this version, made once for all of its trainings.

    They are kept in the user's cache, or in the folder `kept` where it is turned off.
    """
    key = hashlib.sha256(f"{version} {resolution} {STEPS}".encode()).hexdigest()[:16]
    folder, size = (results_cache("class_pictures") or kept) / key, (resolution, resolution)
    found = []
    for noun, caption in ((noun, f"photo of {with_article(noun)}") for noun in nouns):
        about = partial(ClassPicture, class_name=noun, suffix=".jpg", size=size, caption=caption)
        files = [folder / file_name(noun) / f"{seed}.jpg" for seed in range(count)]
        model.generate({file: (caption, seed) for seed, file in enumerate(files)}, resolution, STEPS)
        found += [about(name=str(file), image=read_file(file)) for file in files]
    return found
