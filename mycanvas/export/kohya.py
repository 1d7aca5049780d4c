"""kohya's sd-scripts: one folder of images and caption files for each split, and a `dataset.toml`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from mycanvas.export.masks import size_of
from mycanvas.export.source import Source

BUCKET_STEP = 64
"""Sides of sd-scripts' buckets are multiples of this; SD, SDXL, FLUX and its other models all accept it."""
LEAST_BUCKET, LARGEST_BUCKET = 256, 1024
"""sd-scripts' own limits of a bucket's sides. It refuses a resolution beyond them, so they follow the scenes' size."""

_HEAD = """\
# For --dataset_config of sd-scripts. Folders are relative to this one: run the trainer here.
[general]
caption_extension = ".txt"
enable_bucket = true

[[datasets]]
resolution = [{width}, {height}]
min_bucket_reso = {least}
max_bucket_reso = {largest}
"""
_SUBSET = """
[[datasets.subsets]]
image_dir = "{folder}"
num_repeats = 1
"""


def write_kohya(source: Source, output: Path) -> None:
    """Write images, captions (the prompts with tokens), and last the configuration."""
    size = (0, 0)
    for split in source.counts:
        (output / split).mkdir(exist_ok=True)
        for scene in source.scenes(split):
            (output / split / f"{scene.id}.jpg").write_bytes(scene.image)
            (output / split / f"{scene.id}.txt").write_text(scene.prompt, encoding="utf-8")
            size = max(size, size_of(scene))
    (output / "dataset.toml").write_text(_config(size, source.counts), encoding="utf-8")


def _config(size: tuple[int, int], splits: Iterable[str]) -> str:
    width, height = size
    least = max(BUCKET_STEP, min(LEAST_BUCKET, min(size) // BUCKET_STEP * BUCKET_STEP))
    largest = max(LARGEST_BUCKET, -(-max(size) // BUCKET_STEP) * BUCKET_STEP)
    head = _HEAD.format(width=width, height=height, least=least, largest=largest)
    return head + "".join(_SUBSET.format(folder=split) for split in splits)
