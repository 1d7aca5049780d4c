"""Candidates -> the dataset in the folder: select, copy the kept bytes, write the card, and last the marker."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence, Set
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from builder.card import card_text
from builder.config import SelectConfig, parse_select
from builder.errors import StoreError
from builder.funnel import Funnel
from builder.library import PhotoUse
from builder.records import Rejected
from builder.rows import Row
from builder.select import Judged, select
from builder.store import BuildFolder, read_json, write_json
from mycanvas.schema import split_of

SCORE_COLUMNS = ("id", "composition", "num_objects", "scores", "fingerprint", "caption")


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
        config = parse_select({**read_json(folder.select_file), **changes})
        summary = finish(folder, config)
        write_json(folder.select_file, config.model_dump())
    return summary


def finish(folder: BuildFolder, config: SelectConfig) -> Summary:
    """Make the dataset from the candidates. Reads their scores, copies their bytes, decodes no picture.

    Raises:
        StoreError: the build is not finished, a file is damaged, or no scene would be kept; the dataset that was there
            before stays.
    """
    planned = {line["id"]: split_of(line["num_objects"]) for line in folder.plan()}
    shards, rejected = _read_shards(folder)
    candidates = [candidate for rows in shards.values() for candidate in rows]
    if len(candidates) + len(rejected) < len(planned):
        missing = len(planned) - len(candidates) - len(rejected)
        raise StoreError(f"{folder.path}: {missing} scenes are not made yet; run the same `mycanvas build` again first")
    selection = select((judged for judged, _ in candidates), config)
    funnel = Funnel.count(planned, rejected, [judged.id for judged, _ in candidates], selection)
    if not selection.kept:
        raise StoreError("\n".join([f"{folder.path}: no scene would be kept; loosen [select]", *funnel.lines()]))
    photos = tuple(PhotoUse(**values) for values in read_json(folder.photos_file)["photos"])
    kept = set(selection.kept)
    folder.write_splits(
        [(index, {row.id: planned[row.id] for row, _ in rows if row.id in kept}) for index, rows in shards.items()]
    )
    words = [len(caption.split()) for rows in shards.values() for row, caption in rows if row.id in kept]
    folder.write_card(card_text(folder, config, funnel, photos, words, _compositions(shards, kept)))
    folder.mark_selected({"select": config.model_dump(), "funnel": asdict(funnel)})
    return Summary(folder=folder, funnel=funnel, photos=photos)


def _read_shards(folder: BuildFolder) -> tuple[dict[int, list[tuple[Judged, str]]], list[Rejected]]:
    """Each shard's candidates with their captions, and all rejections."""
    shards: dict[int, list[tuple[Judged, str]]] = {}
    rejected: list[Rejected] = []
    for index, marker in folder.markers():
        rejected += marker.rejected
        shards[index] = [_judged(row) for row in folder.candidates(index, SCORE_COLUMNS)]
    return shards, rejected


def _judged(row: Row) -> tuple[Judged, str]:
    caption = row.pop("caption")
    return Judged(**row), caption


def _compositions(shards: Mapping[int, Sequence[tuple[Judged, str]]], kept: Set[str]) -> dict[str, int]:
    """Kept scenes of each composition."""
    return dict(Counter(row.composition for rows in shards.values() for row, _ in rows if row.id in kept))
