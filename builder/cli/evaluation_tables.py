"""The tables of `mycanvas evaluate` beside its scores: caption-image alignment, and what people think."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mycanvas.alignment.measure import THRESHOLD, Alignment, alignment_cells, left_out, measure_alignment
from mycanvas.alignment.pairs import open_pairs
from mycanvas.alignment.plot import draw_alignments
from mycanvas.dataset import planned_splits
from mycanvas.errors import ConfigError
from mycanvas.io.files import write_text
from mycanvas.io.reports import write_numbers
from mycanvas.metrics.run import fetch_models
from mycanvas.metrics.settings import ENCODER
from mycanvas.models import split_name
from mycanvas.models.encoders import load_encoder
from mycanvas.ratings.files import read_preferences, read_ratings
from mycanvas.ratings.tables import preference_cells, preference_table, quality_cells, quality_table


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """key: in JSON. title: above it. cells: a head and rows. values: every number, of JSON's types. notes: below it."""

    key: str
    title: str
    cells: Sequence[Sequence[str]]
    values: Mapping[str, Any]
    notes: Sequence[str] = ()

    def lines(self) -> list[str]:
        """For a terminal: the first column to the left, numbers to the right."""
        widths = [max(map(len, column)) for column in zip(*self.cells, strict=True)]
        rows = (
            "  ".join(
                [row[0].ljust(widths[0]), *(cell.rjust(n) for cell, n in zip(row[1:], widths[1:], strict=True))]
            ).rstrip()
            for row in self.cells
        )
        return [self.title, *rows, *self.notes]

    def write(self, folder: Path) -> Path:
        """Write every number to a file of the table's name; returns it."""
        return write_numbers(folder / f"{self.key}.json", self.values)


@dataclass(frozen=True, kw_only=True, slots=True)
class Aligned:
    """What was measured of some datasets, and with what. threshold: None: the encoder has none."""

    alignments: tuple[Alignment, ...]
    encoder: str
    threshold: float | None

    def table(self) -> Table:
        """One row for each dataset."""
        return Table(
            key="alignment",
            title=f"Alignment of pictures and captions: cosine by {self.encoder}",
            cells=alignment_cells(self.alignments, self.threshold),
            values={
                "encoder": self.encoder,
                "datasets": [each.as_json(self.threshold) for each in self.alignments],
            },
            notes=left_out(self.alignments),
        )

    def write(self, folder: Path) -> Path:
        """Write alignment.json and alignment.svg; returns the plot."""
        self.table().write(folder)
        plot = folder / "alignment.svg"
        write_text(plot, draw_alignments(self.alignments, self.encoder, self.threshold))
        return plot


def align(
    places: Sequence[str],
    *,
    limit: int,
    split: Sequence[str] = (),
    image_column: Sequence[str] = (),
    caption_column: Sequence[str] = (),
    weak_below: float | None = None,
    encoder: str | None = None,
    device: str = "auto",
    dtype: str = "auto",
) -> Aligned:
    """Measure the alignment of datasets, each under its name.

    Args:
        places: "name=place" or "place", each as `open_pairs` takes it.
        limit: rows of each at most.
        split: "name=split" for one of the datasets, or "split" for the others; as `open_pairs` takes it.
        image_column: likewise.
        caption_column: likewise.
        weak_below: pairs of a smaller cosine are counted; None: LAION-5B's for CLIP B/32, none for others.
        encoder: its name; None: the paper's.
        device: as `mycanvas.models.pick_device` takes it.
        dtype: as `mycanvas.models.pick_dtype` takes it.

    Raises:
        ConfigError: two datasets have the same name, none has the name that is given; or what `open_pairs` raises.
        InputError: a dataset cannot be opened or read.
        ModelError: the encoder cannot be had or run.
    """
    from tqdm import tqdm

    named = dict(_named(places))
    splits, images, captions = (_by_name(named, given) for given in (split, image_column, caption_column))
    opened = {
        name: open_pairs(
            place, limit=limit, split=splits[name], image_column=images[name], caption_column=captions[name]
        )
        for name, place in named.items()
    }
    expected = encoder or ENCODER
    model = fetch_models({"encoder": expected})["encoder"]
    sees = load_encoder(model.path, device=device, dtype=dtype)
    called, _ = split_name(expected)
    if weak_below is None and called == split_name(ENCODER)[0]:
        weak_below = THRESHOLD
    found = []
    for name, pairs in opened.items():
        with tqdm(pairs.rows, total=limit, desc=name, unit="row", delay=1) as rows:
            found.append(measure_alignment(name, rows, sees))
    return Aligned(alignments=tuple(found), encoder=f"{called}@{model.revision}", threshold=weak_below)


def quality(file: Path, dataset: Path) -> Table:
    """People's ranks of a dataset's scenes.

    Raises:
        InputError: the file or the dataset cannot be read, or they do not belong together.
    """
    ratings = read_ratings(file)
    rows = quality_table(ratings, planned_splits(dataset))
    raters = len({rating.rater for rating in ratings})
    return Table(
        key="quality",
        title=f"Quality of scenes, 1 to 5: the rounded mean of {_said(len(ratings), 'rating', raters)}",
        cells=quality_cells(rows),
        values={
            "raters": raters,
            "ratings": len(ratings),
            "splits": {row.split: {"counts": row.counts, "percent": row.shares, "total": row.total} for row in rows},
        },
    )


def preference(file: Path) -> Table:
    """What people prefer.

    Raises:
        InputError: the file cannot be read.
    """
    given = read_preferences(file)
    cells = preference_table(given)
    raters = len({each.rater for each in given})
    return Table(
        key="preference",
        title=f"Preference, 1 to 10: mean (± sample sd) of {_said(len(given), 'score', raters)}",
        cells=preference_cells(cells),
        values={"raters": raters, "scores": len(given), "cells": [asdict(cell) for cell in cells]},
    )


def _named(places: Iterable[str]) -> Iterator[tuple[str, str]]:
    seen: set[str] = set()
    for place in places:
        name, equals, rest = place.partition("=")
        if not equals or "/" in name:  # a path may have a "=" in it
            name, rest = place, place
        if not name or not rest or name in seen:
            raise ConfigError(f"each dataset needs a name of its own, got {place!r}; write NAME=DATASET")
        seen.add(name)
        yield name, rest


def _by_name(named: Mapping[str, str], given: Iterable[str]) -> dict[str, str | None]:
    """What each dataset is given: its own "name=value", else the last "value"."""
    own: dict[str, str] = {}
    shared = None
    for value in given:
        name, equals, rest = value.partition("=")
        if not equals:
            shared = value
        elif name in named:
            own[name] = rest
        else:
            raise ConfigError(f"{value}: no --alignment is called {name}; they are called {', '.join(named)}")
    return {name: own.get(name, shared) for name in named}


def _said(number: int, what: str, raters: int) -> str:
    return f"{number} {what}{'s' * (number > 1)} by {raters} {'people' if raters > 1 else 'person'}"
