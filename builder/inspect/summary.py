"""What is in a build: counts, the funnel, the photos, how the scores are spread."""

from __future__ import annotations

import io
import json
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from PIL import Image, PngImagePlugin

from builder.inspect.contact_sheet import contact_sheet
from builder.pipeline.build_folder import BuildFolder
from builder.pipeline.dataset_writer import check_whole
from builder.pipeline.funnel import Funnel
from builder.pipeline.rows import Row
from builder.pipeline.source_photos import Sources, summary_lines
from builder.stages.layout.replies import Tally, tally
from mycanvas.errors import ConfigError, StoreError
from mycanvas.io.files import read_json, write_bytes
from mycanvas.io.tables import table_lines
from mycanvas.schema import SCORES, SPLITS

QUANTILES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)
SHOWN = 36
MADE_BY = "mycanvas inspect"
"""What a contact sheet says of itself in the metadata near its beginning, so that no other picture is overwritten."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Inspection:
    """quantiles: for each score, its value at QUANTILES over all scenes made, kept or not.

    placed_by, written_by: how many layouts and captions of the scenes kept were made by what; empty where the backend
    has only one way.
    """

    folder: Path
    funnel: Funnel
    compositions: dict[str, int]
    quantiles: dict[str, list[float]]
    sources: Sources
    words_per_caption: float
    replies: Tally
    placed_by: dict[str, int]
    written_by: dict[str, int]

    def as_json(self) -> dict[str, Any]:
        """Everything, of JSON's types."""
        return {**asdict(self), "folder": str(self.folder)}

    def lines(self) -> list[str]:
        """A page for a terminal."""
        head = ["score", *(f"{quantile:.0%}" for quantile in QUANTILES)]
        scores = [[name, *(f"{value:.3f}" for value in values)] for name, values in self.quantiles.items()]
        lost = [f"{name}: {reason}" for name, reason in self.sources.unreadable.items()]
        return [
            *self.funnel.lines(),
            *self.replies.lines(),
            "",
            f"{len(self.compositions)} compositions, {self.words_per_caption:.1f} words per caption",
            *([f"objects placed by {_listed(self.placed_by)}"] if self.placed_by else []),
            *([f"captions written by {_listed(self.written_by)}"] if self.written_by else []),
            "",
            *table_lines([head, *scores]),
            "",
            *summary_lines(self.sources.photos),
            *([""] if lost else []),
            *lost,
        ]


def inspect_build(folder: BuildFolder) -> Inspection:
    """Read a finished build's numbers; no picture is decoded.

    Raises:
        StoreError: the build is not finished, or a file of it is missing or damaged.
    """
    check_whole(folder)
    rows = list(_rows(folder, ("composition", "caption", "provenance")))
    selected, shards = read_json(folder.selected_file), [index for index, _ in folder.markers()]
    if len(shards) < len(selected["candidates"]):
        lost = f"{len(selected['candidates']) - len(shards)} of {len(selected['candidates'])} files are missing"
        raise StoreError(f"{folder.hidden / 'candidates'}: {lost}; run the same `mycanvas build` again to remake them")
    scores = [row["scores"] for index in shards for row in folder.candidates(index, ("scores",))]
    return Inspection(
        folder=folder.path,
        funnel=Funnel.from_json(selected["funnel"]),
        compositions=dict(sorted(Counter(row["composition"] for row in rows).items())),
        quantiles=_quantiles(scores),
        sources=Sources.from_json(read_json(folder.sources_file)),
        words_per_caption=float(np.mean([len(row["caption"].split()) for row in rows])),
        replies=tally(folder.replies),
        placed_by=_tally("placed_by", rows),
        written_by=_tally("written_by", rows),
    )


def write_sheet(folder: BuildFolder, file: Path) -> None:
    """Draw a contact sheet and write it as a PNG. Of files that exist, only another contact sheet is replaced.

    Raises:
        ConfigError: another kind of file is asked for.
        StoreError: something else has this name, or it cannot be written; or the dataset is damaged.
    """
    other = "give it another name with --sheet FILE.png"
    if file.suffix.lower() != ".png":
        raise ConfigError(f"a contact sheet is a PNG, got {file}; {other}")
    if os.path.lexists(file) and not _is_sheet(file):
        raise StoreError(f"{file} exists and is no contact sheet of mycanvas; {other}")
    if not os.path.isdir(file.parent):
        raise StoreError(f"cannot write {file}: {file.parent} is not a folder; {other}")
    marked, buffer = PngImagePlugin.PngInfo(), io.BytesIO()
    marked.add_text("Software", MADE_BY)
    draw_sheet(folder).save(buffer, format="PNG", pnginfo=marked)
    try:
        write_bytes(file, buffer.getvalue())
    except StoreError as error:
        raise StoreError(f"{error}, or {other}") from error


def _is_sheet(file: Path) -> bool:
    try:
        with file.open("rb") as opened:
            head = opened.read(256)
    except OSError:
        return False
    return head.startswith(b"\x89PNG\r\n\x1a\n") and MADE_BY.encode() in head


def draw_sheet(folder: BuildFolder) -> Image.Image:
    """A contact sheet of scenes spread evenly over the dataset."""
    ids = [row["id"] for row in _rows(folder, ("id",))]
    expected = {ids[index] for index in np.linspace(0, len(ids) - 1, min(SHOWN, len(ids))).round().astype(int)}
    columns = ("id", "image", "boxes", "concept_tokens", "caption")
    return contact_sheet((row for row in _rows(folder, columns, expected)), SHOWN)


def _rows(folder: BuildFolder, columns: Sequence[str], expected: set[str] | None = None) -> list[Row]:
    found: list[Row] = []
    for path in sorted(folder.path.glob("data/*.arrow"), key=_in_order):
        with pa.memory_map(str(path)) as file, pa.ipc.open_stream(file) as stream:
            for batch in stream:
                table = pa.Table.from_batches([batch]).select(list(columns))
                if expected is not None:
                    table = table.filter(pc.is_in(table["id"], pa.array(sorted(expected))))
                found += table.to_pylist()
    return found


def _tally(key: str, rows: Sequence[Row]) -> dict[str, int]:
    """How often each value of a key of the provenance is there, the most frequent first."""
    found = (json.loads(row["provenance"]).get(key) for row in rows)
    return dict(Counter(value for value in found if value is not None).most_common())


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name}: {count}" for name, count in counts.items())


def _in_order(file: Path) -> tuple[int, str]:
    return SPLITS.index(file.name.split("-")[0]), file.name


def _quantiles(scores: Sequence[dict[str, float | None]]) -> dict[str, list[float]]:
    columns = {name: [value for row in scores if (value := row[name]) is not None] for name in SCORES}
    return {name: np.quantile(values, QUANTILES).tolist() for name, values in columns.items() if values}
