"""Where objects are in scenes, and how large: read from boxes and the headers of masks, no picture is decoded."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from builder.pipeline.build_folder import BuildFolder
from mycanvas.boxes import Box
from mycanvas.dataset import picture_kind

CELLS = 24
"""Rows and columns of a map of positions."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Placements:
    """Positions and sizes of the objects in scenes.

    coverage: float64 [CELLS, CELLS], the mean number of boxes over each part of a scene.
    areas: of each box, as a fraction of its scene.
    """

    coverage: NDArray[np.float64]
    areas: tuple[float, ...]

    def peak(self) -> tuple[float, float]:
        """The centre of the part with the largest coverage, from the left and from the top, as fractions."""
        row, column = np.unravel_index(int(self.coverage.argmax()), self.coverage.shape)
        return (float(column) + 0.5) / CELLS, (float(row) + 0.5) / CELLS


def read_placements(folder: BuildFolder, kept: Iterable[tuple[int, Collection[str]]]) -> Placements:
    """Read the boxes of scenes.

    Args:
        folder: a build with candidates.
        kept: for each shard of candidates, in order: its number, and the ids of its scenes that count.
    """
    return measure(scene for shard, ids in kept if ids for scene in _boxes(folder, shard, ids))


def measure(scenes: Iterable[tuple[Sequence[Box], tuple[int, int]]]) -> Placements:
    """Measure scenes, each given by its boxes and its width and height, both in pixels."""
    coverage, areas, count = np.zeros((CELLS, CELLS)), list[float](), 0
    for boxes, (width, height) in scenes:
        count += 1
        for x, y, w, h in boxes:
            coverage += np.outer(_overlap(y / height, (y + h) / height), _overlap(x / width, (x + w) / width))
            areas.append(w * h / (width * height))
    return Placements(coverage=np.round(coverage / max(1, count), 9), areas=tuple(areas))


def _overlap(start: float, end: float) -> NDArray[np.float64]:
    """The fraction of each of CELLS equal parts of 0 to 1 that an interval covers."""
    edges: NDArray[np.float64] = np.arange(CELLS + 1) / CELLS
    shared: NDArray[np.float64] = np.minimum(edges[1:], end) - np.maximum(edges[:-1], start)
    return np.maximum(shared, 0) * CELLS


def _boxes(folder: BuildFolder, shard: int, ids: Collection[str]) -> Iterator[tuple[Sequence[Box], tuple[int, int]]]:
    with pa.memory_map(str(folder.candidate_file(shard))) as file, pa.ipc.open_stream(file) as stream:
        for batch in stream:
            masks = batch.column("mask").field("bytes")
            for row, (name, boxes) in enumerate(
                zip(batch.column("id").to_pylist(), batch.column("boxes").to_pylist(), strict=True)
            ):
                if name in ids:
                    yield boxes, picture_kind(masks[row].as_py(), ["PNG"], f"the mask of scene {name}")[1]
