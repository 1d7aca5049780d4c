"""WebDataset: tar shards `<split>-NNNNNN.tar` of `<id>.jpg`, `.mask.png`, `.txt` (the caption), `.json` (the rest)."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterator
from dataclasses import fields
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from mycanvas.export.source import Scene, Source

SHARD_SCENES = 512
"""About 200 MB at 1024 x 1024. Few enough that there are shards for many readers."""


def write_webdataset(source: Source, output: Path) -> None:
    """Write the scenes of each split in their order, as shards whose bytes depend on nothing else."""
    for split in source.counts:
        scenes = source.scenes(split)
        for number in range(-(-source.counts[split] // SHARD_SCENES)):
            with (output / f"{split}-{number:06d}.tar").open("wb") as file:
                for scene in islice(scenes, SHARD_SCENES):
                    for suffix, content in _members(scene):
                        _add(file, f"{scene.id}.{suffix}", content)
                file.write(bytes(2 * tarfile.BLOCKSIZE))


def _members(scene: Scene) -> Iterator[tuple[str, bytes | memoryview]]:
    pictures = {"image", "mask"}
    rest = {field.name: getattr(scene, field.name) for field in fields(Scene) if field.name not in pictures}
    yield "jpg", scene.image
    yield "json", json.dumps(rest, ensure_ascii=False).encode()
    yield "mask.png", scene.mask
    yield "txt", scene.caption.encode()


def _add(file: BinaryIO, name: str, content: bytes | memoryview) -> None:
    """What TarFile.addfile does, without its copy through a buffer of 16 kB."""
    member = tarfile.TarInfo(name)  # mode 0644, time 0, owner root: the same in every run
    member.size = len(content)
    file.write(member.tobuf(tarfile.PAX_FORMAT))
    file.write(content)
    file.write(bytes(-len(content) % tarfile.BLOCKSIZE))
