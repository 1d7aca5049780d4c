"""Labels of cut-outs, given by eye; see docs/quality.md."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from PIL import Image

from builder.pipeline.build_folder import BuildFolder
from builder.pipeline.source_photos import CutoutUse

LABELS = Path(__file__).with_name("cutouts.csv")
USABLE = 1
"""Lowest grade of a usable cut-out: 2 is clean, 1 has a small flaw, 0 is wrong."""
SAME = 0.01
"""Largest change of a cut-out's area, as a fraction of the photo, with which its label still counts."""


def read_labels() -> dict[tuple[str, str], tuple[int, float]]:
    """(segmenter, photo) -> (grade, area)."""
    with LABELS.open(encoding="utf-8", newline="") as file:
        return {
            (row["segmenter"], row["photo"]): (int(row["grade"]), float(row["area"])) for row in csv.DictReader(file)
        }


def grade_of(
    folder: BuildFolder, photo: CutoutUse, segmenter: str, labels: dict[tuple[str, str], tuple[int, float]]
) -> int | None:
    """The grade of a cut-out; None if it has no label, or has changed since."""
    if (label := labels.get((segmenter, photo.id))) is None:
        return None
    grade, area = label
    return grade if abs(covered(folder, photo) - area) <= SAME else None


def covered(folder: BuildFolder, photo: CutoutUse) -> float:
    """The area of a photo's cut-out, as a fraction of the photo."""
    with Image.open(folder.cutout_file(photo.key, "mask.png")) as mask:
        return float(np.mean(np.asarray(mask) > 0))
