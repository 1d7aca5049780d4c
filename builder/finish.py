"""Candidates -> the dataset in the folder: select, copy the kept bytes, write the card, and last the marker."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from builder.card import card_text
from builder.config import BuildConfig, parse_config
from builder.errors import StoreError
from builder.files import read_json, write_json
from builder.funnel import Funnel
from builder.library import PhotoUse, Sources
from builder.records import Rejected
from builder.rows import Row
from builder.select import Judged, select
from builder.store import BuildFolder
from mycanvas.schema import split_of

COLUMNS = ("id", "composition", "scores", "fingerprint", "caption")


@dataclass(frozen=True, kw_only=True, slots=True)
class Summary:
    """What a build or a selection ended in."""

    folder: BuildFolder
    funnel: Funnel
    photos: tuple[PhotoUse, ...]

    def as_json(self) -> dict[str, Any]:
        """The counts, of JSON's types."""
        return {"folder": str(self.folder.path), "funnel": asdict(self.funnel)}

    def lines(self) -> list[str]:
        """What a person wants to see at the end, and what to type next."""
        path = self.folder.path
        used = sum(photo.used for photo in self.photos)
        concepts = len({photo.concept for photo in self.photos if photo.used})
        return [
            f"{used} of {len(self.photos)} photos used, {concepts} concepts",
            *self.funnel.lines(),
            "",
            f'load it:     import mycanvas, datasets; datasets.load_dataset("mycanvas", data_dir="{path}")',
            f"look at it:  mycanvas inspect {path}",
            f"choose:      mycanvas select {path} --help",
        ]


def reselect(path: Path, changes: Mapping[str, float]) -> Summary:
    """Choose again in a finished build; what `changes` does not name stays as it was.

    Raises:
        ConfigError: a threshold that cannot be meant.
        StoreError: as `finish`; or the folder holds no build.
    """
    folder = BuildFolder.open(path)
    with folder.claim(folder.request()):
        values = read_json(folder.config_file)
        config = parse_config({**values, "select": {**values["select"], **changes}})
        summary = finish(folder, config)
        write_json(folder.config_file, config.model_dump(mode="json"))
    return summary


def finish(folder: BuildFolder, config: BuildConfig) -> Summary:
    """Make the dataset from the candidates. Reads their scores, copies their bytes, decodes no picture.

    Raises:
        StoreError: the build is not finished, a file is damaged, or no scene would be kept; the dataset that was there
            before stays.
    """
    planned = {line["id"]: split_of(line["num_objects"]) for line in folder.plan()}
    shards, rejected = _read_shards(folder)
    candidates = [row for rows in shards.values() for row in rows]
    missing = len(planned) - len(candidates) - len(rejected)
    if missing or not planned:
        raise StoreError(f"{folder.path}: {missing} scenes are not made yet; run the same `mycanvas build` again first")
    selection = select(map(_judged, candidates), config.select)
    funnel = Funnel.count(planned, rejected, [row["id"] for row in candidates], selection)
    kept = set(selection.kept)
    if not kept:
        raise StoreError("\n".join([f"{folder.path}: no scene would be kept; loosen [select]", *funnel.lines()]))
    folder.write_splits(
        [
            (index, {row["id"]: planned[row["id"]] for row in rows if row["id"] in kept})
            for index, rows in shards.items()
        ]
    )
    sources = Sources.from_json(read_json(folder.sources_file))
    rows = [row for row in candidates if row["id"] in kept]
    compositions = dict(Counter(row["composition"] for row in rows))
    words = sum(len(row["caption"].split()) for row in rows) / len(rows)
    folder.write_card(card_text(folder, config, sources, funnel, compositions, words))
    folder.mark_selected({"funnel": asdict(funnel)})
    return Summary(folder=folder, funnel=funnel, photos=sources.photos)


def _read_shards(folder: BuildFolder) -> tuple[dict[int, list[Row]], list[Rejected]]:
    """The columns of each shard's candidates that a selection needs, and all rejections."""
    shards: dict[int, list[Row]] = {}
    rejected: list[Rejected] = []
    for index, marker in folder.markers():
        rejected += marker.rejected
        shards[index] = list(folder.candidates(index, COLUMNS))
    return shards, rejected


def _judged(row: Row) -> Judged:
    return Judged(id=row["id"], composition=row["composition"], scores=row["scores"], fingerprint=row["fingerprint"])
