"""Measure the alignment of several datasets with one encoder, as `mycanvas alignment` does."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mycanvas.alignment.measure import (
    THRESHOLD,
    Alignment,
    alignment_cells,
    left_out_lines,
    measure_alignment,
)
from mycanvas.alignment.pairs import open_pairs
from mycanvas.alignment.plot import draw_alignments
from mycanvas.errors import ConfigError
from mycanvas.io.files import write_text
from mycanvas.io.progress import tracked
from mycanvas.io.tables import Table
from mycanvas.io.text import UNWRITABLE, split_named
from mycanvas.models import split_name
from mycanvas.models.catalogue import ENCODER
from mycanvas.models.encoders import load_encoder
from mycanvas.models.required import fetch_options

NUMBERS, PLOT = "alignment.json", "alignment.svg"
FILES = (NUMBERS, PLOT)
"""Files that `AlignmentRun.write` writes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AlignmentRun:
    """The alignment of several datasets.

    encoder: "owner/name@revision". threshold: pairs with a lower cosine are counted as weak; None: none is known for
    the encoder.
    """

    alignments: tuple[Alignment, ...]
    encoder: str
    threshold: float | None

    def table(self) -> Table:
        """One row per dataset."""
        return Table(
            key=Path(NUMBERS).stem,
            title=f"Alignment of images and captions: cosine by {self.encoder}",
            cells=alignment_cells(self.alignments, self.threshold),
            values={
                "encoder": self.encoder,
                "datasets": [each.as_json(self.threshold) for each in self.alignments],
            },
            notes=left_out_lines(self.alignments),
        )

    def write(self, folder: Path) -> Path:
        """Write FILES to a folder; returns the plot's path."""
        self.table().write(folder)
        plot = folder / PLOT
        write_text(plot, draw_alignments(self.alignments, self.encoder, self.threshold))
        return plot


def measure_datasets(
    datasets: Sequence[str],
    *,
    limit: int,
    split: Sequence[str] = (),
    image_column: Sequence[str] = (),
    caption_column: Sequence[str] = (),
    weak_below: float | None = None,
    encoder: str | None = None,
    device: str = "auto",
    dtype: str = "auto",
) -> AlignmentRun:
    """Measure the alignment of datasets.

    Args:
        datasets: "name=dataset" or "dataset", each as `open_pairs` accepts it; without a name, its place is its name.
        limit: maximum rows of each.
        split: "name=split" for one of the datasets, or "split" for the others; as `open_pairs` accepts it.
        image_column: likewise.
        caption_column: likewise.
        weak_below: cosine below which a pair counts as weak; None: LAION-5B's for CLIP B/32, none for other encoders.
        encoder: its name; None: the paper's.
        device: as `mycanvas.models.pick_device` accepts it.
        dtype: as `mycanvas.models.pick_dtype` accepts it.

    Raises:
        ConfigError: two datasets have the same name, an option names an unknown dataset, or what `open_pairs` raises.
        InputError: a dataset cannot be opened or read.
        ModelError: the encoder is not available or fails.
    """
    named = dict(_named(datasets))
    splits, images, captions = (_per_dataset(named, given) for given in (split, image_column, caption_column))
    opened = {
        name: open_pairs(
            place, limit=limit, split=splits[name], image_column=images[name], caption_column=captions[name]
        )
        for name, place in named.items()
    }
    model_name, _ = split_name(encoder or ENCODER)
    snapshot = fetch_options({"encoder": encoder or ENCODER})["encoder"]
    model = load_encoder(snapshot.path, device=device, dtype=dtype)
    if weak_below is None and model_name == split_name(ENCODER)[0]:
        weak_below = THRESHOLD
    alignments = []
    for name, pairs in opened.items():
        alignments.append(measure_alignment(name, tracked(pairs.rows, name, limit, "row"), model))
    return AlignmentRun(alignments=tuple(alignments), encoder=f"{model_name}@{snapshot.revision}", threshold=weak_below)


def _named(datasets: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Split "name=place"."""
    seen: set[str] = set()
    for given in datasets:
        name, place = split_named(given)
        if name is None:
            name = given
        if not name or not place or name in seen or UNWRITABLE.search(name):
            raise ConfigError(f"each dataset needs a unique, printable name, got {given!r}; write NAME=DATASET")
        seen.add(name)
        yield name, place


def _per_dataset(named: Mapping[str, str], given: Iterable[str]) -> dict[str, str | None]:
    """The value of an option for each dataset: its own "name=value", else the last "value"."""
    own: dict[str, str] = {}
    shared = None
    for value in given:
        name, equals, rest = value.partition("=")
        if not equals:
            shared = value
        elif name in named:
            own[name] = rest
        else:
            raise ConfigError(f"{value}: no dataset is named {name}; the datasets are {', '.join(named)}")
    return {name: own.get(name, shared) for name in named}
