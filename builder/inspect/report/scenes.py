"""The scenes of a report: each candidate with its scores, a small picture, its boxes and the outlines of its masks."""

from __future__ import annotations

import io
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
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
TOLERANCE = 1.3
"""Largest distance of an outline from the mask, in the same units."""
SCENE_COLUMNS = (
    *("id", "composition", "num_objects", "scores", "fingerprint"),
    *("image", "mask", "caption", "boxes"),
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


def read_scenes(folder: BuildFolder, shards: Sequence[int], kept: Collection[str], allowed: int) -> ReportScenes:
    """Read every candidate of a build.

    Args:
        folder: a finished build.
        shards: the numbers of its shards of candidates, in order.
        kept: ids of the kept scenes.
        allowed: bytes for the rows in the page.

    Raises:
        InputError: a picture cannot be read.
    """
    facts = list(_candidates(folder, shards, ("id", "composition")))
    names = sorted({row["composition"] for row in facts})
    numbers = {name: number for number, name in enumerate(names)}
    spread = np.linspace(0, len(facts) - 1, min(SAMPLE, len(facts))).round().astype(int)
    ids = {facts[place]["id"] for place in spread}
    sample = [(row, len(json.dumps(_row(row, 0, numbers) | _shown(row)))) for row in _pick(folder, shards, ids)]

    def size(item: tuple[Row, int], level: Level) -> int:
        row, text = item
        return text + len(_picture(row, level))

    level, shown = fitting_level(sample, len(facts), allowed, size)
    pictured = {facts[index]["id"] for index in np.linspace(0, len(facts) - 1, shown).round().astype(int)}
    rows, words, places = list[dict[str, Any]](), list[int](), []
    for order, row in enumerate(_candidates(folder, shards, SCENE_COLUMNS)):
        rows.append(_row(row, order, numbers))
        if row["id"] in pictured:
            rows[-1] |= _shown(row) | {"image": _picture(row, level)}
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


def _candidates(folder: BuildFolder, shards: Sequence[int], columns: Sequence[str]) -> Iterator[Row]:
    for index in shards:
        yield from folder.candidates(index, columns)


def _pick(folder: BuildFolder, shards: Sequence[int], ids: Collection[str]) -> list[Row]:
    return [row for row in _candidates(folder, shards, SCENE_COLUMNS) if row["id"] in ids]


def _row(row: Row, order: int, numbers: Mapping[str, int]) -> dict[str, Any]:
    """The facts of a candidate by which it is selected, as JSON types."""
    high, low = divmod(row["fingerprint"], _WORD)
    return {
        "id": row["id"],
        "order": order,
        "composition": numbers[row["composition"]],
        "split": SPLITS.index(split_of(row["num_objects"])),
        "scores": [_short(row["scores"].get(name)) for name in SCORES],
        "fingerprint": [high, low],
    }


def _short(score: float | None) -> float | None:
    """The shortest number that is this one as a float32, as scores are stored; page.js makes it a float32 again."""
    return None if score is None else float(str(np.float32(score)))


def _shown(row: Row) -> dict[str, Any]:
    """Everything that is shown of a candidate, except its picture."""
    width, height = _size(row)
    unit = GRID / max(width, height)
    return {
        "caption": row["caption"],
        "size": [round(width * unit), round(height * unit)],
        "boxes": [[round(value * unit) for value in box] for box in row["boxes"]],
        "masks": outlines(row["mask"]["bytes"], len(row["boxes"])),
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
    doubled = shown.astype(np.uint8).repeat(2, axis=0).repeat(2, axis=1)
    found, _ = cv2.findContours(doubled, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    parts = []
    for contour in found:
        points = cv2.approxPolyDP(contour, 2 * TOLERANCE, True)[:, 0] // 2
        if len(points) > 2:
            steps = np.diff(points, axis=0)
            parts.append(f"M{points[0][0]} {points[0][1]}l{' '.join(f'{x} {y}' for x, y in steps)}z")
    return "".join(parts)
