"""kohya's sd-scripts: one folder of images and caption files for each split, and a `dataset.toml`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from mycanvas.export.masks import size_of
from mycanvas.export.source import Source

_HEAD = """\
# For --dataset_config of sd-scripts. Folders are relative to this one: run the trainer here.
[general]
caption_extension = ".txt"
enable_bucket = true

[[datasets]]
resolution = [{width}, {height}]
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
    head = _HEAD.format(width=size[0], height=size[1])
    return head + "".join(_SUBSET.format(folder=split) for split in splits)
