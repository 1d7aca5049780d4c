"""The scenes of a report: each candidate with its scores, a small picture, its boxes and the outlines of its masks."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from builder.inspect.report.thumbnails import SAMPLE, Level, data_uri, fitting_level
from builder.pipeline.annotations import read_annotations
from builder.pipeline.build_folder import BuildFolder
from builder.pipeline.made import judge, judged, read_made
from builder.pipeline.placements import Placements, measure
from builder.pipeline.rows import Row
from builder.pipeline.source_photos import CutoutUse
from builder.stages.select import Candidates, FittedScore, Judged, SelectConfig
from mycanvas.dataset import picture_kind
from mycanvas.errors import InputError
from mycanvas.schema import SCORES, SPLITS

GRID = 256
"""Boxes and outlines are in units of the picture's longer side / GRID."""
TOLERANCE = 1.3
"""Largest distance of an outline from the mask, in the same units."""
SHOWN_COLUMNS = ("id", "image", "mask", "caption", "boxes")
"""The columns of a candidate that are shown."""
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


def read_scenes(
    folder: BuildFolder, kept: Mapping[str, str], photos: Sequence[CutoutUse], select: SelectConfig, allowed: int
) -> ReportScenes:
    """Read every candidate of a build.

    Args:
        folder: a finished build.
        kept: the caption of each kept scene, by its id.
        photos: of the build, with the present decisions about cut-outs.
        select: the current thresholds.
        allowed: bytes for the rows in the page.

    Raises:
        InputError: a picture cannot be read.
    """
    markers = dict(folder.markers())
    shards, made = [*markers], read_made(folder, folder.plan(), markers)
    candidates = judge(made, photos, read_annotations(folder))
    facts, unaccepted = judged(made, candidates), _unaccepted(candidates, select.fitted)
    names = sorted({each.composition for each in facts})
    numbers = {name: number for number, name in enumerate(names)}
    rows = [
        _row(each, split, order, numbers[each.composition], unaccepted.get(order))
        for order, (each, split) in enumerate(zip(facts, made.splits().tolist(), strict=True))
    ]
    level, shown = _best_level(folder, shards, rows, allowed)
    pictured = {facts[index].id for index in np.linspace(0, len(facts) - 1, shown).round().astype(int)}
    places = []
    for judged_row, row in zip(rows, _candidates(folder, shards, SHOWN_COLUMNS), strict=True):
        if row["id"] in pictured:
            judged_row |= _shown({**row, "caption": kept.get(row["id"], row["caption"])})
            judged_row["image"] = _picture(row, level)
        if row["id"] in kept:
            places.append((row["boxes"], _size(row)))
    return ReportScenes(
        rows=sorted(rows, key=lambda row: str(row["id"])),
        compositions=names,
        shown=len(pictured),
        side=level.side,
        caption_words=[len(caption.split()) for caption in kept.values()],
        placements=measure(places),
    )


def _best_level(
    folder: BuildFolder, shards: Sequence[int], rows: Sequence[Mapping[str, Any]], allowed: int
) -> tuple[Level, int]:
    """The level at which all scenes fit into a number of bytes, and the number of scenes that fit at it."""
    spread = np.linspace(0, len(rows) - 1, min(SAMPLE, len(rows))).round().astype(int)
    chosen = {rows[place]["id"]: len(json.dumps(rows[place])) for place in spread}
    sample = [
        (row, chosen[row["id"]] + len(json.dumps(_shown(row))))
        for row in _candidates(folder, shards, SHOWN_COLUMNS)
        if row["id"] in chosen
    ]

    def size(item: tuple[Row, int], level: Level) -> int:
        row, text = item
        return text + len(_picture(row, level))

    return fitting_level(sample, len(rows), allowed, size)


def _candidates(folder: BuildFolder, shards: Sequence[int], columns: Sequence[str]) -> Iterator[Row]:
    for index in shards:
        yield from folder.candidates(index, columns)


def _unaccepted(candidates: Candidates, fitted: FittedScore | None) -> dict[int, str]:
    """The bound of the fitted score, by the numbers of the candidates that do not meet it."""
    if fitted is None:
        return {}
    below = fitted.acceptance(candidates.scores, len(candidates.ids)) < fitted.bound
    return dict.fromkeys(np.flatnonzero(below).tolist(), f"acceptance < {fitted.bound:g}")


def _row(each: Judged, split: str, order: int, composition: int, unaccepted: str | None) -> dict[str, Any]:
    """Everything by which a candidate is selected, as JSON types."""
    high, low = divmod(each.fingerprint, _WORD)
    people = {
        "rank": each.rank,
        "flag": each.flag,
        "refused": each.refused,
        "scene": each.scene if each.scene != each.id else None,
        "step": each.step or None,
        "unaccepted": unaccepted,
    }
    return {
        "id": each.id,
        "order": order,
        "composition": composition,
        "split": SPLITS.index(split),
        "scores": [each.scores.get(name) for name in SCORES],
        "fingerprint": [high, low],
        **{key: value for key, value in people.items() if value is not None},
    }


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
