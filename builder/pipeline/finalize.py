"""Candidates -> the dataset in the folder: select, copy the kept bytes, write the card, and last the marker."""

from __future__ import annotations

import json
import logging
import shlex
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from builder.config import BuildConfig, parse_config, profile_selection
from builder.pipeline.build_folder import BuildFolder
from builder.pipeline.card import card_text
from builder.pipeline.dataset_writer import mark_selected, marked, write_card, write_concepts, write_splits
from builder.pipeline.funnel import Funnel
from builder.pipeline.rows import Row
from builder.pipeline.source_photos import PhotoUse, Sources, summary_lines
from builder.records import Rejected
from builder.stages.layout.replies import tally
from builder.stages.select import Judged, idle_bounds, select
from mycanvas.errors import StoreError
from mycanvas.io.files import read_json, stored
from mycanvas.schema import split_of

log = logging.getLogger("mycanvas")

COLUMNS = ("id", "composition", "scores", "fingerprint", "caption")


@dataclass(frozen=True, kw_only=True, slots=True)
class Summary:
    """What a build or a selection ended in. photos: of a build, whose outcome it decided; none of a selection."""

    folder: BuildFolder
    funnel: Funnel
    photos: tuple[PhotoUse, ...]

    def as_json(self) -> dict[str, Any]:
        """The counts, of JSON's types."""
        return {"folder": str(self.folder.path), "funnel": asdict(self.funnel)}

    def lines(self) -> list[str]:
        """What a person wants to see at the end, and what to type next."""
        path, typed = json.dumps(str(self.folder.path), ensure_ascii=False), shlex.quote(str(self.folder.path))
        return [
            *([*summary_lines(self.photos), ""] if self.photos else []),
            *self.funnel.lines(),
            *tally(self.folder.replies).lines(),
            "",
            f'load it:     import mycanvas, datasets; datasets.load_dataset("mycanvas", data_dir={path})',
            f"look at it:  mycanvas inspect {typed}",
            f"choose:      mycanvas select {typed} --help",
        ]


def reselect(path: Path, changes: Mapping[str, float | None], *, reset: bool = False) -> Summary:
    """Choose again in a finished build.

    Args:
        path: the folder.
        changes: keys of [select]; None takes a bound away.
        reset: what `changes` does not name is as in the build's profile; without, it stays as it was.

    Raises:
        ConfigError: a threshold that cannot be meant.
        StoreError: as `finalize`; or the folder holds no build.
    """
    folder = BuildFolder.open(path)
    with folder.claim(folder.request()):
        values = read_json(folder.config_file)
        before = profile_selection(values["profile"]) if reset else last_selection(folder)
        config = parse_config({**values, "select": {**before, **changes}})
        summary = finalize(folder, config, " ".join(map(_typed, changes.items())) or "[select]")
        return replace(summary, photos=())  # a selection does not change them


def _typed(change: tuple[str, float | None]) -> str:
    """A change as it is typed."""
    name, value = change
    return f"--{name.replace('_', '-')} {'none' if value is None else f'{value:g}'}"


def last_selection(folder: BuildFolder) -> dict[str, Any]:
    """What the dataset in the folder was selected by; before there is one, what its configuration says."""
    values = stored(folder.selected_file) or stored(folder.config_file)
    return dict(values["select"]) if values else {}


def finalize(folder: BuildFolder, config: BuildConfig, asked: str = "[select]") -> Summary:
    """Make the dataset from the candidates. Reads their scores, copies their bytes, decodes no picture.

    Args:
        folder: of the build, claimed.
        config: whose [select] says what is kept.
        asked: what the user said of that, for the message that nothing is.

    Raises:
        StoreError: the build is not finished, a file is damaged, or no scene would be kept; the dataset that was there
            before stays.
    """
    answer = {"select": config.select.model_dump(), "license": config.license, "candidates": _sums(folder)}
    sources = Sources.from_json(read_json(folder.sources_file))
    done = marked(folder)
    if done and all(done.get(name) == value for name, value in answer.items()):
        return Summary(folder=folder, funnel=Funnel.from_json(done["funnel"]), photos=sources.photos)
    planned = {line["id"]: split_of(line["num_objects"]) for line in folder.plan()}
    shards, rejected = _read_shards(folder)
    candidates = [row for rows in shards.values() for row in rows]
    known = {row["id"] for row in candidates} | {rejection.sample_id for rejection in rejected}
    if known - set(planned):
        lacks = f"lacks {len(known - set(planned))} of the scenes made"
        raise StoreError(f"{folder.plan_file} {lacks}; run the same `mycanvas build` again to write it anew")
    missing = set(planned) - known
    if missing or not planned:
        raise StoreError(
            f"{folder.path}: {len(missing)} scenes are not made yet; run the same `mycanvas build` again first"
        )
    judged = [_judged(row) for row in candidates]
    for score in idle_bounds(judged, config.select):
        log.warning(
            "the bound on %s does nothing: score.backend %r does not measure it", score, config.backend_name("score")
        )
    selection = select(judged, config.select)
    funnel = Funnel.count(planned, rejected, [row["id"] for row in candidates], selection)
    kept = set(selection.kept)
    if not kept:
        stays = "; the earlier selection stays" if folder.selected_file.is_file() else ""
        raise StoreError("\n".join([f"{folder.path}: no scene would be kept by {asked}{stays}", *funnel.lines()]))
    write_concepts(folder, sources.photos)
    write_splits(
        folder,
        [
            (index, {row["id"]: planned[row["id"]] for row in rows if row["id"] in kept})
            for index, rows in shards.items()
        ],
    )
    rows = [row for row in candidates if row["id"] in kept]
    compositions = dict(Counter(row["composition"] for row in rows))
    words = sum(len(row["caption"].split()) for row in rows) / len(rows)
    write_card(folder, card_text(folder, config, sources, funnel, compositions, words))
    mark_selected(folder, {**answer, "funnel": asdict(funnel)})
    return Summary(folder=folder, funnel=funnel, photos=sources.photos)


def _read_shards(folder: BuildFolder) -> tuple[dict[int, list[Row]], list[Rejected]]:
    """The columns of each shard's candidates that a selection needs, and all rejections."""
    shards: dict[int, list[Row]] = {}
    rejected: list[Rejected] = []
    for index, marker in folder.markers():
        rejected += marker.rejected
        shards[index] = list(folder.candidates(index, COLUMNS))
    return shards, rejected


def _sums(folder: BuildFolder) -> list[str]:
    """The sha256 of each shard of candidates, checked."""
    return [marker.sha256 for _, marker in folder.markers()]


def _judged(row: Row) -> Judged:
    return Judged(id=row["id"], composition=row["composition"], scores=row["scores"], fingerprint=row["fingerprint"])
