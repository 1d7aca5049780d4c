"""The plots of a dataset's card: where objects are, and how large. They are files of the build, OUT/plots/*.png."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from builder.pipeline.build_folder import BuildFolder
from builder.pipeline.histogram import histogram
from builder.pipeline.manifest import Manifest
from builder.pipeline.marked_png import encode_marked, is_marked
from builder.pipeline.placements import Placements, read_placements
from dataset_card import Plot, draw_heat_map, draw_histogram
from mycanvas.errors import StoreError
from mycanvas.io.files import has_sha256, write_bytes

MADE_BY = "mycanvas select"
"""Metadata near the beginning of a plot, by which it is known where the manifest is lost."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CardPlots:
    """The plots of a card. files: the PNG of each, by its path in the folder. plots: how the card shows them."""

    files: Mapping[str, bytes]
    plots: tuple[Plot, ...]


def draw_card_plots(folder: BuildFolder, kept: Iterable[tuple[int, Collection[str]]]) -> CardPlots:
    """Draw the plots of the kept scenes.

    Args:
        folder: the build folder.
        kept: as for `read_placements`; at least one scene.
    """
    found = read_placements(folder, kept)
    positions = draw_heat_map(
        found.coverage,
        "Where objects are",
        ("from the left, % of the width", "from the top, % of the height", "mean number of objects"),
    )
    sizes = draw_histogram(
        histogram(100 * np.asarray(found.areas), (0,)),
        "Sizes of objects",
        ("area of an object's box, % of the scene", "number of objects"),
    )
    described = {"positions": (positions, describe_positions(found)), "sizes": (sizes, describe_sizes(found))}
    plots = tuple(Plot(path=f"plots/{name}.png", alt=alt) for name, (_, alt) in described.items())
    files = {f"plots/{name}.png": encode_marked(image, MADE_BY) for name, (image, _) in described.items()}
    return CardPlots(files=files, plots=plots)


def describe_positions(found: Placements) -> str:
    """The heat map of positions in words, for those who cannot see it."""
    right, down = found.peak()
    return (
        f"Heat map of the positions of objects: most of them, {found.coverage.max():.2f} per scene, cover the place "
        f"{right:.0%} from the left and {down:.0%} from the top"
    )


def describe_sizes(found: Placements) -> str:
    """The histogram of sizes in words."""
    low, middle, high = (100 * np.quantile(found.areas, (0.25, 0.5, 0.75))).tolist()
    return (
        f"Histogram of the areas of the boxes of {len(found.areas)} objects: median {middle:.2g} % of the scene, "
        f"half of them between {low:.2g} % and {high:.2g} %"
    )


def check_plots(folder: BuildFolder, plots: CardPlots, before: Manifest | None) -> None:
    """Refuse to replace files of others.

    Raises:
        StoreError: a file that is not of this build has the name of a plot.
    """
    earlier = before.plots if before else {}
    for name in plots.files:
        file = folder.path / name
        ours = not file.is_symlink() and (has_sha256(file, earlier.get(name, "")) or is_marked(file, MADE_BY))
        if os.path.lexists(file) and not ours:
            raise StoreError(f"{file} is not a file of this build; move it, then run the same command again")


def write_plots(folder: BuildFolder, plots: CardPlots) -> dict[str, str]:
    """Write the plots that passed `check_plots`; return the sha256 of each by its path."""
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in plots.files.items()}
    for name, content in plots.files.items():
        if not has_sha256(folder.path / name, digests[name]):
            write_bytes(folder.path / name, content)
    return digests
