"""kohya's sd-scripts: one folder of images and caption files for each split, and a `dataset.toml`."""

from __future__ import annotations

from collections.abc import Collection, Iterable
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
    sizes = set()
    for split in source.counts:
        (output / split).mkdir(exist_ok=True)
        for scene in source.scenes(split):
            (output / split / f"{scene.id}.jpg").write_bytes(scene.image)
            (output / split / f"{scene.id}.txt").write_text(scene.prompt, encoding="utf-8")
            sizes.add(size_of(scene))
    (output / "dataset.toml").write_text(_config(sizes, source.counts), encoding="utf-8")


def _config(sizes: Collection[tuple[int, int]], splits: Iterable[str]) -> str:
    """The configuration. Buckets have at most the area of `resolution`, so that is the size with the largest area."""
    width, height = max(sizes, key=lambda size: (size[0] * size[1], size))
    least = max(BUCKET_STEP, min(LEAST_BUCKET, min(map(min, sizes)) // BUCKET_STEP * BUCKET_STEP))
    largest = max(LARGEST_BUCKET, -(-max(map(max, sizes)) // BUCKET_STEP) * BUCKET_STEP)
    head = _HEAD.format(width=width, height=height, least=least, largest=largest)
    return head + "".join(_SUBSET.format(folder=split) for split in splits)
