"""Summarise a build: counts, the funnel, the photos, quantiles of the scores."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from builder.inspect.contact_sheet import contact_sheet
from builder.inspect.output_file import OutputFile
from builder.pipeline.build_folder import BuildFolder
from builder.pipeline.funnel import Funnel
from builder.pipeline.manifest import check_whole, read_manifest
from builder.pipeline.marked_png import encode_marked, is_marked
from builder.pipeline.reviewed_cutouts import current_sources
from builder.pipeline.source_photos import Sources, height_lines, summary_lines
from builder.stages.layout.replies import Tally, tally
from mycanvas.dataset import Scene, open_dataset
from mycanvas.errors import InputError, StoreError
from mycanvas.io.messages import counted
from mycanvas.io.tables import table_lines
from mycanvas.schema import SCORES

QUANTILES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)
SHOWN = 36
"""Scenes on a contact sheet."""
MOST_COMPOSITIONS = 10
"""Compositions that are listed."""
MADE_BY = "mycanvas inspect"
"""Metadata near the beginning of a contact sheet, so that no other picture is overwritten."""
OTHER_SHEET = "give it another name with --sheet FILE.png"
"""How to give a contact sheet another name, for messages."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Inspection:
    """The numbers of a build.

    quantiles: for each score, its value at QUANTILES over all scenes made, kept or not.
    placed_by, written_by: the number of kept scenes whose layout or caption was made by each method; empty where the
        backend has only one.
    fitted: the acceptance score that select uses, as in [select.fitted].
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
    fitted: dict[str, Any] | None

    def as_json(self) -> dict[str, Any]:
        """Every number, as JSON types."""
        return {**asdict(self), "folder": str(self.folder)}

    def lines(self) -> list[str]:
        """The numbers for a terminal, line by line."""
        head = ["score", *(f"{quantile:.0%}" for quantile in QUANTILES)]
        scores = [[name, *(f"{value:.3f}" for value in values)] for name, values in self.quantiles.items()]
        lost = [f"{name}: {reason}" for name, reason in self.sources.unreadable.items() if "/" not in name]
        lost += [f"background {name}: {reason}" for name, reason in self.sources.unreadable_backgrounds.items()]
        return [
            *self.funnel.lines(),
            *self.replies.lines(),
            "",
            f"{counted(len(self.compositions), 'composition')}, {self.words_per_caption:.1f} words per caption",
            *_composition_lines(self.compositions),
            *([f"objects placed by {_listed(self.placed_by)}"] if self.placed_by else []),
            *([f"captions written by {_listed(self.written_by)}"] if self.written_by else []),
            "",
            f"scores of all {counted(sum(self.funnel.made.values()), 'generated scene')}, kept or not:",
            *table_lines([head, *scores]),
            *_fitted_lines(self.fitted),
            "",
            *summary_lines(self.sources.every_photo()),
            *([""] if lost else []),
            *lost,
            *height_lines(self.sources.photos),
        ]


def _composition_lines(compositions: Mapping[str, int]) -> list[str]:
    """The compositions with the most scenes, by the names that other commands take."""
    rows = [(f"  {name}", str(count)) for name, count in Counter(compositions).most_common(MOST_COMPOSITIONS)]
    more = len(compositions) - len(rows)
    return [*table_lines(rows), *([f"  and {more} more; --json lists all"] if more else [])]


def inspect_build(folder: BuildFolder) -> Inspection:
    """Read a finished build's numbers; no picture is decoded.

    Raises:
        StoreError: the build is not finished, or a file of it is missing or damaged.
        InputError: the dataset in it cannot be read.
    """
    check_whole(folder)
    scenes = list(open_dataset(folder.path).scenes())
    manifest, shards = read_manifest(folder), [index for index, _ in folder.markers()]
    expected = len(manifest.made_from.candidates)
    if len(shards) < expected:
        lost = f"{expected - len(shards)} of {expected} files are missing"
        raise StoreError(f"{folder.hidden / 'candidates'}: {lost}; run the same `mycanvas build` again to remake them")
    scores = [row["scores"] for index in shards for row in folder.candidates(index, ("scores",))]
    return Inspection(
        folder=folder.path,
        funnel=manifest.funnel.ordered(),
        compositions=dict(sorted(Counter(scene.composition for scene in scenes).items())),
        quantiles=_quantiles(scores),
        sources=current_sources(folder),
        words_per_caption=float(np.mean([len(scene.caption.split()) for scene in scenes])),
        replies=tally(folder.replies),
        placed_by=_tally("placed_by", scenes),
        written_by=_tally("written_by", scenes),
        fitted=manifest.made_from.select.get("fitted"),
    )


def write_sheet(file: Path, draw: Callable[[], Image.Image], other: str = OTHER_SHEET) -> None:
    """Draw a contact sheet and write it as a PNG. An existing file is replaced only if it is a contact sheet.

    Args:
        file: the PNG.
        draw: draws the sheet; it is called after the file's name was checked.
        other: how to give the sheet another name, for messages.

    Raises:
        ConfigError: the file's name does not end in .png.
        StoreError: another file has this name, or it cannot be written.
        InputError: the dataset cannot be read.
    """
    _sheet(other).write(file, lambda: encode_marked(draw(), MADE_BY))


def check_sheet(file: Path, other: str = OTHER_SHEET) -> None:
    """Refuse a name that a contact sheet cannot have; `other` is as for `write_sheet`.

    Raises:
        ConfigError: it does not end in .png.
        StoreError: another file has this name, or there is no folder for it.
    """
    _sheet(other).check(file)


def _sheet(other: str) -> OutputFile:
    return OutputFile(
        noun="contact sheet",
        suffix=".png",
        format="a PNG",
        is_ours=lambda file: is_marked(file, MADE_BY),
        other=other,
    )


def draw_sheet(folder: BuildFolder) -> Image.Image:
    """Draw a contact sheet of scenes spread evenly over the dataset."""
    return contact_sheet(open_dataset(folder.path).spread(SHOWN), SHOWN)


def _fitted_lines(fitted: Mapping[str, Any] | None) -> list[str]:
    if fitted is None:
        return []
    weights = ", ".join(f"{name} {weight:+.3g}" for name, weight in fitted["weights"].items())
    return [f"acceptance, fitted to people's ranks, of at least {fitted['bound']:g}; weights: {weights}"]


def _tally(key: str, scenes: Sequence[Scene]) -> dict[str, int]:
    """The number of scenes with each value of a provenance key, the most frequent first."""
    found = (_provenance(scene).get(key) for scene in scenes)
    return dict(Counter(str(value) for value in found if value is not None).most_common())


def _provenance(scene: Scene) -> dict[str, Any]:
    try:
        values = json.loads(scene.provenance)
    except (ValueError, RecursionError) as error:
        raise InputError(f"the provenance of scene {scene.id} is no JSON: {error}") from error
    if not isinstance(values, dict):
        raise InputError(f"the provenance of scene {scene.id} is not a JSON object")
    return values


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name}: {count}" for name, count in counts.items())


def _quantiles(scores: Sequence[dict[str, float | None]]) -> dict[str, list[float]]:
    columns = {name: [value for row in scores if (value := row.get(name)) is not None] for name in SCORES}
    return {name: np.quantile(values, QUANTILES).tolist() for name, values in columns.items() if values}
