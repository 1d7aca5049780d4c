"""Find and check the Parquet files of an export of pairs, to publish them with a dataset."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from builder.publish.files import Rows, Shard
from mycanvas.dataset import Dataset
from mycanvas.errors import StoreError
from mycanvas.export.output import read_identity
from mycanvas.io.files import os_errors, sha256_of
from mycanvas.io.messages import counted
from mycanvas.schema import SPLITS

PAIRS = "pairs"
"""The config of pairs on the Hub, the folder of its files there, and the name of their export."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PairFiles:
    """The files of an export of pairs. splits: the rows of each split that has any."""

    shards: tuple[Shard, ...]
    splits: Mapping[str, Rows]


def find_pairs(folder: Path, dataset: Dataset, photos: Collection[str]) -> PairFiles:
    """Find the pairs of a dataset, and check that they may be published.

    Args:
        folder: what `mycanvas export --format pairs` wrote.
        dataset: the one that is published.
        photos: ids of the source photos that are published.

    Raises:
        StoreError: the folder holds no finished export of pairs, or one of another dataset; or a reference shows a
            photo that is not published.
    """
    identity = read_identity(folder)
    again = f"export again: mycanvas export {shlex.quote(dataset.place)} --format {PAIRS} --output NEW_FOLDER"
    if identity.get("format") != PAIRS:
        raise StoreError(f"{folder} holds an export in the format {identity.get('format')}, not {PAIRS}; {again}")
    if identity.get("dataset") != dataset.version:
        raise StoreError(f"{folder} holds pairs of another dataset, or of this one before it changed; {again}")
    files = {split: sorted((folder / "data").glob(f"{split}-*.parquet")) for split in SPLITS}
    _check_photos(folder, [file for own in files.values() for file in own], photos)
    shards = [
        Shard(path=f"{PAIRS}/{file.name}", local=file, size=file.stat().st_size, sha256=sha256_of(file))
        for own in files.values()
        for file in own
    ]
    splits = {split: Rows.count(_column(own, "id")) for split, own in files.items() if own}
    return PairFiles(shards=tuple(shards), splits=splits)


def _check_photos(folder: Path, files: list[Path], photos: Collection[str]) -> None:
    """Refuse references that show photos that are not published, because no license is stated for them."""
    shown = {name for names in _column(files, "reference_images") for name in names}
    hidden = sorted(shown - set(photos))
    if hidden:
        raise StoreError(
            f"the references in {folder} show {counted(len(hidden), 'source photo')} that would not be published, "
            f"such as {hidden[0]}; publish all with --all-photos, or export pairs with --pairs same"
        )


def _column(files: list[Path], name: str) -> Iterator[Any]:
    """The values of a column of these files; no picture is read."""
    for file in files:
        with os_errors(file, "read"):
            yield from pq.read_table(file, columns=[name]).column(name).to_pylist()
