"""The scenes of a report: each candidate with its scores, a small picture, its boxes and the outlines of its masks."""

from __future__ import annotations

import io
import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from builder.inspect.report.thumbnails import SAMPLE, Level, data_uri, fitting_level
from builder.pipeline.build_folder import BuildFolder
from builder.pipeline.placements import Placements, measure
from builder.pipeline.rows import Row
from mycanvas.dataset import picture_kind
from mycanvas.errors import InputError
from mycanvas.schema import SCORES, SPLITS, split_of

GRID = 256
"""Boxes and outlines are in units of the picture's longer side / GRID."""
TOLERANCE = 0.9
"""Largest distance of an outline from the mask, in the same units."""
SCENE_COLUMNS = (
    *("id", "composition", "num_objects", "scores", "fingerprint"),
    *("image", "mask", "caption", "boxes", "concept_tokens"),
)
_WORD = 2**32


@dataclass(frozen=True, kw_only=True, slots=True)
class ReportScenes:
    """The scenes of a report.

    rows: JSON types, sorted by id; page.js reads them. compositions: names, by their number in the rows.
    shown: the number of rows with a picture. side: of the longer side of these pictures, in pixels.
    caption_words, placements: of the kept scenes.
    """

    rows: list[dict[str, Any]]
    compositions: list[str]
    shown: int
    side: int
    caption_words: list[int]
    placements: Placements


def read_scenes(folder: BuildFolder, kept: Collection[str], allowed: int) -> ReportScenes:
    """Read every candidate of a build.

    Args:
        folder: a finished build.
        kept: ids of the kept scenes.
        allowed: bytes for the rows in the page.

    Raises:
        InputError: a picture cannot be read.
    """
    facts = list(_candidates(folder, ("id", "composition")))
    names = sorted({row["composition"] for row in facts})
    numbers = {name: number for number, name in enumerate(names)}
    spread = np.linspace(0, len(facts) - 1, min(SAMPLE, len(facts))).round().astype(int)
    sample = _pick(folder, {facts[index]["id"] for index in spread})

    def size(row: Row, at: Level) -> int:
        return len(json.dumps(_row(row, 0, numbers, at)))

    level, shown = fitting_level(sample, len(facts), allowed, size)
    pictured = {facts[index]["id"] for index in np.linspace(0, len(facts) - 1, shown).round().astype(int)}
    rows, words, places = list[dict[str, Any]](), list[int](), []
    for order, row in enumerate(_candidates(folder, SCENE_COLUMNS)):
        rows.append(_row(row, order, numbers, level if row["id"] in pictured else None))
        if row["id"] in kept:
            words.append(len(row["caption"].split()))
            places.append((row["boxes"], _size(row)))
    return ReportScenes(
        rows=sorted(rows, key=lambda row: str(row["id"])),
        compositions=names,
        shown=len(pictured),
        side=level.side,
        caption_words=words,
        placements=measure(places),
    )


def _candidates(folder: BuildFolder, columns: Sequence[str]) -> Iterator[Row]:
    for index, _ in folder.markers():
        yield from folder.candidates(index, columns)


def _pick(folder: BuildFolder, ids: Collection[str]) -> list[Row]:
    return [row for row in _candidates(folder, SCENE_COLUMNS) if row["id"] in ids]


def _row(row: Row, order: int, numbers: dict[str, int], level: Level | None) -> dict[str, Any]:
    """Convert a candidate to JSON types, with its picture if a level is given."""
    high, low = divmod(row["fingerprint"], _WORD)
    facts = {
        "id": row["id"],
        "order": order,
        "composition": numbers[row["composition"]],
        "split": SPLITS.index(split_of(row["num_objects"])),
        "scores": [row["scores"].get(name) for name in SCORES],
        "fingerprint": [high, low],
    }
    if level is None:
        return facts
    width, height = _size(row)
    unit = GRID / max(width, height)
    return facts | {
        "caption": row["caption"],
        "tokens": row["concept_tokens"],
        "size": [round(width * unit), round(height * unit)],
        "boxes": [[round(value * unit, 1) for value in box] for box in row["boxes"]],
        "masks": outlines(row["mask"]["bytes"], len(row["boxes"])),
        "image": _picture(row, level),
    }


def _size(row: Row) -> tuple[int, int]:
    return picture_kind(row["image"]["bytes"], ["JPEG"], f"the image of scene {row['id']}")[1]


def _picture(row: Row, level: Level) -> str:
    try:
        with Image.open(io.BytesIO(row["image"]["bytes"])) as image:
            image.draft("RGB", (level.side, level.side))
            return data_uri(image, level)
    except (OSError, SyntaxError, ValueError) as error:
        raise InputError(f"the image of scene {row['id']} is damaged: {error}") from error


def outlines(mask: bytes, count: int) -> list[str]:
    """The outlines of the objects in an index mask as paths of SVG, with holes by the rule "evenodd".

    Args:
        mask: a palette PNG; value i + 1 is object i.
        count: the number of objects.
    """
    with Image.open(io.BytesIO(mask)) as image:
        scale = GRID / max(image.size)
        size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
        values = np.asarray(image.resize(size, Image.Resampling.NEAREST))
    return [_path(values == number) for number in range(1, count + 1)]


def _path(shown: NDArray[np.bool_]) -> str:
    """Draw around the pixels of an object; at twice the size, along their edges rather than their centres."""
    doubled = np.kron(shown.astype(np.uint8), np.ones((2, 2), np.uint8))
    found, _ = cv2.findContours(doubled, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    parts = []
    for contour in found:
        points = cv2.approxPolyDP(contour, 2 * TOLERANCE, True)[:, 0] // 2
        if len(points) > 2:
            steps = np.diff(points, axis=0)
            parts.append(f"M{points[0][0]} {points[0][1]}l{' '.join(f'{x} {y}' for x, y in steps)}z")
    return "".join(parts)
