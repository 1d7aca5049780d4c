from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from builder.pipeline.build_folder import BuildFolder
from builder.pipeline.prepare import PaintTask, paint, read_background
from builder.records import BackgroundRef
from builder.stages.backgrounds import paint_scene

SNOW = BackgroundRef(scene="snow", phrase="", variant=1)


def painted_files(folder: Path, *, threads: int) -> dict[str, bytes]:
    """The files of a painted background by name, written while OpenCV may use a number of threads."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(threads)
    try:
        paint(PaintTask(folder=folder, background=SNOW))
    finally:
        cv2.setNumThreads(before)
    return {file.name: file.read_bytes() for file in (folder / ".build" / "backgrounds").iterdir()}


def test_a_painted_background_is_the_same_on_any_number_of_threads(tmp_path: Path) -> None:
    assert painted_files(tmp_path / "one", threads=1) == painted_files(tmp_path / "three", threads=3)


def test_a_painted_background_is_read_as_it_was_painted_without_a_copy(tmp_path: Path) -> None:
    paint(PaintTask(folder=tmp_path, background=SNOW))

    found, expected = read_background(BuildFolder(tmp_path), SNOW), paint_scene(SNOW)

    assert np.array_equal(found.pixels, expected.pixels)
    assert (found.horizon, found.ground) == pytest.approx((expected.horizon, expected.ground))
    assert not found.pixels.flags.owndata, "workers share the memory of the file"


def test_a_damaged_painted_background_is_painted_again(tmp_path: Path) -> None:
    before = painted_files(tmp_path, threads=1)
    file = tmp_path / ".build" / "backgrounds" / "snow-1.npy"
    file.write_bytes(file.read_bytes()[:-9] + b"otherwise")

    assert painted_files(tmp_path, threads=1) == before
