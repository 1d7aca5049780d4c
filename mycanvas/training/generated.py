"""Pictures that the model generates: of classes, before its training, and samples of it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from mycanvas.dataset import file_name
from mycanvas.dataset.class_pictures import ClassPicture
from mycanvas.english import with_article
from mycanvas.io.files import results_cache, write_bytes
from mycanvas.io.images import encode_jpeg, read_file
from mycanvas.io.progress import tracked
from mycanvas.models import in_batches
from mycanvas.models.text_to_image import Sampling, TextToImage
from mycanvas.models.trainable import StableDiffusion

STEPS = 50


def generate(model: StableDiffusion, pictures: Mapping[Path, tuple[str, int]], resolution: int, steps: int) -> None:
    """Generate pictures, except those whose files exist.

    Args:
        model: that generates them.
        pictures: the prompt and the seed of each JPEG.
        resolution: their sides in pixels.
        steps: of denoising.

    Raises:
        ModelError: memory is too small for one picture.
        StoreError: a file cannot be written.
    """
    pipeline = TextToImage(model.pipeline, Sampling(steps=steps, resolution=resolution))
    missing = {file: each for file, each in pictures.items() if not file.exists()}
    for file, each in tracked(missing.items(), "generating", len(missing), "picture"):
        with model.precision():
            (picture,) = in_batches([each], 1, lambda batch: pipeline.generate(*zip(*batch, strict=True)))
        write_bytes(file, encode_jpeg(picture))


def made_class_pictures(
    model: StableDiffusion, version: str, nouns: Sequence[str], count: int, resolution: int, kept: Path
) -> list[ClassPicture]:
    """`count` pictures of each class by a model of this version, made once for all of its trainings.

    They are kept in the user's cache, or in the folder `kept` where it is turned off.
    """
    key = hashlib.sha256(f"{version} {resolution} {STEPS}".encode()).hexdigest()[:16]
    folder = (results_cache("class_pictures") or kept) / key
    found = []
    for noun in nouns:
        prompt = f"photo of {with_article(noun)}"
        files = {folder / file_name(noun) / f"{seed}.jpg": (prompt, seed) for seed in range(count)}
        generate(model, files, resolution, STEPS)
        size = (resolution, resolution)
        found += [
            ClassPicture(
                class_name=noun, name=str(file), suffix=".jpg", image=read_file(file), size=size, caption=prompt
            )
            for file in files
        ]
    return found
