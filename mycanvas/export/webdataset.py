"""WebDataset: tar shards `<split>-NNNNNN.tar` of `<id>.jpg`, `.mask.png`, `.txt` (the caption), `.json` (the rest)."""

from __future__ import annotations

import json
import os
import tarfile
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from mycanvas.dataset import Scene
from mycanvas.export.source import Source

SHARD_SCENES = 256
"""Scenes of a shard: about 100 MB at 1024 x 1024, small enough to spread shards over many readers."""

_REST = tuple(field.name for field in fields(Scene) if field.name not in {"image", "mask"})


def write_webdataset(source: Source, output: Path) -> None:
    """Write the scenes of each split in order; the same scenes give the same bytes.

    While a shard is written, the previous one is flushed to the disk.
    """
    flushed = []
    with ThreadPoolExecutor(max_workers=1) as flushing:
        for split in source.counts:
            scenes = source.scenes(split)
            for number in range(-(-source.counts[split] // SHARD_SCENES)):
                path = output / f"{split}-{number:06d}.tar"
                _write_shard(path, islice(scenes, SHARD_SCENES))
                flushed.append(flushing.submit(_flush, path))
    for flush in flushed:
        flush.result()


def _flush(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _write_shard(path: Path, scenes: Iterable[Scene]) -> None:
    with path.open("wb") as file:
        for scene in scenes:
            for suffix, content in _members(scene):
                _add(file, f"{scene.id}.{suffix}", content)
        file.write(bytes(2 * tarfile.BLOCKSIZE))


def _members(scene: Scene) -> Iterator[tuple[str, bytes | memoryview]]:
    yield "jpg", scene.image
    yield "json", json.dumps({name: getattr(scene, name) for name in _REST}).encode()
    yield "mask.png", scene.mask
    yield "txt", scene.caption.encode()


def _add(file: BinaryIO, name: str, content: bytes | memoryview) -> None:
    file.write(_header(name.encode("ascii"), len(content)))
    file.write(content)
    file.write(bytes(-len(content) % tarfile.BLOCKSIZE))


_BLANK = tarfile.TarInfo().tobuf(tarfile.USTAR_FORMAT)
"""A header with mode 0644, owner root and time 0, the same in every run."""


def _header(name: bytes, size: int) -> bytes:
    """The header that TarInfo.tobuf makes, which alone would take a fifth of the time to write a scene."""
    header = bytearray(_BLANK)
    header[: len(name)] = name
    header[124:135] = b"%011o" % size
    header[148:156] = b" " * 8  # the checksum is computed with blanks in its own place
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header)
