"""Make the dataset from the candidates: select, copy the kept bytes, write the card, and last the marker."""

from __future__ import annotations

import json
import logging
import shlex
from collections import Counter
from collections.abc import Mapping, Sequence, Set
from dataclasses import asdict, dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

from builder.config import BuildConfig, parse_config, profile_selection
from builder.pipeline.build_folder import BuildFolder
from builder.pipeline.card import card_text
from builder.pipeline.claim import claim
from builder.pipeline.dataset_writer import mark_selected, read_marker, write_card, write_concepts, write_splits
from builder.pipeline.funnel import Funnel
from builder.pipeline.rows import Row
from builder.pipeline.source_photos import CutoutUse, Sources, summary_lines
from builder.records import Rejected
from builder.stages.layout.replies import tally
from builder.stages.select import Judged, Selection, idle_bounds, select
from mycanvas.errors import StoreError
from mycanvas.io.files import read_json, read_json_or_none
from mycanvas.schema import split_of

log = logging.getLogger("mycanvas")

COLUMNS = ("id", "composition", "scores", "fingerprint", "caption")
"""The columns of a candidate that are read; none is a picture."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Summary:
    """The result of a build or a selection. photos: of a build, which decides their use; none of a selection."""

    folder: BuildFolder
    funnel: Funnel
    photos: tuple[CutoutUse, ...]

    def as_json(self) -> dict[str, Any]:
        """Convert the folder and the counts to JSON types."""
        return {"folder": str(self.folder.path), "funnel": asdict(self.funnel)}

    def lines(self) -> list[str]:
        """Format the result for a terminal, with the commands to run next."""
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
    """Repeat the selection in a finished build with other thresholds.

    Args:
        path: the folder.
        changes: keys of [select]; None removes a bound.
        reset: start from the profile's thresholds; otherwise from those of the last selection.

    Raises:
        ConfigError: a threshold is invalid.
        StoreError: as `finalize`, or the folder holds no build.
    """
    folder = BuildFolder.open(path)
    with claim(folder, folder.request()):
        values = read_json_or_none(folder.config_file)
        if values is None:
            raise StoreError(f"{path} is not finished; run the same `mycanvas build` again to finish it")
        before = profile_selection(values["profile"]) if reset else last_selection(folder)
        config = parse_config({**values, "select": {**before, **changes}})
        options = [
            f"--{name.replace('_', '-')} {'none' if value is None else f'{value:g}'}" for name, value in changes.items()
        ]
        summary = finalize(folder, config, " ".join(options) or "[select]")
        return replace(summary, photos=())  # a selection does not change them


def last_selection(folder: BuildFolder) -> dict[str, Any]:
    """Read the [select] of the dataset in the folder; before there is a dataset, that of the configuration."""
    values = read_json_or_none(folder.selected_file) or read_json_or_none(folder.config_file)
    return dict(values["select"]) if values else {}


def finalize(folder: BuildFolder, config: BuildConfig, selected_by: str = "[select]") -> Summary:
    """Make the dataset from the candidates: read their scores and copy their bytes. No picture is decoded.

    Args:
        folder: the build folder, claimed.
        config: its [select] decides which scenes are kept.
        selected_by: the options that the user gave, for the error that no scene is kept.

    Raises:
        StoreError: the build is not finished, a file is damaged, or no scene would be kept; an earlier dataset stays.
    """
    made_from = _made_from(folder, config)
    sources = Sources.from_json(read_json(folder.sources_file))
    done = read_marker(folder)
    if done and all(done.get(name) == value for name, value in made_from.items()):
        return Summary(folder=folder, funnel=Funnel.from_json(done["funnel"]), photos=sources.every_photo())
    planned = {line["id"]: split_of(line["num_objects"]) for line in folder.plan()}
    shards, rejected = _read_shards(folder)
    candidates = [row for rows in shards.values() for row in rows]
    _check_all_made(folder, planned, candidates, rejected)
    selection = _select(candidates, config)
    funnel = Funnel.count(planned, rejected, [row["id"] for row in candidates], selection)
    if not selection.kept:
        stays = "; the earlier selection stays" if folder.selected_file.is_file() else ""
        raise StoreError("\n".join([f"{folder.path}: no scene would be kept by {selected_by}{stays}", *funnel.lines()]))
    _write_dataset(folder, config, sources, shards, planned, set(selection.kept), funnel)
    mark_selected(folder, {**made_from, "funnel": asdict(funnel)})
    return Summary(folder=folder, funnel=funnel, photos=sources.every_photo())


def _made_from(folder: BuildFolder, config: BuildConfig) -> dict[str, Any]:
    """Everything that the dataset depends on; the same values give the same dataset."""
    return {
        "select": config.select.model_dump(),
        "license": config.license,
        "candidates": [marker.sha256 for _, marker in folder.markers()],
    }


def _read_shards(folder: BuildFolder) -> tuple[dict[int, list[Row]], list[Rejected]]:
    """Read COLUMNS of each shard's candidates, and all rejections."""
    shards: dict[int, list[Row]] = {}
    rejected: list[Rejected] = []
    for index, marker in folder.markers():
        rejected += marker.rejected
        shards[index] = list(folder.candidates(index, COLUMNS))
    return shards, rejected


def _check_all_made(
    folder: BuildFolder, planned: Mapping[str, str], candidates: Sequence[Row], rejected: Sequence[Rejected]
) -> None:
    """Raise StoreError unless the candidates and the rejections are exactly the planned scenes."""
    known = {row["id"] for row in candidates} | {rejection.sample_id for rejection in rejected}
    if known - set(planned):
        raise StoreError(
            f"{folder.plan_file} lacks {len(known - set(planned))} of the scenes made; "
            "run the same `mycanvas build` again to restore it"
        )
    missing = set(planned) - known
    if missing or not planned:
        raise StoreError(
            f"{folder.path}: {len(missing)} scenes are not made yet; run the same `mycanvas build` again first"
        )


def _select(candidates: Sequence[Row], config: BuildConfig) -> Selection:
    """Select the candidates to keep; warn of bounds that have no effect."""
    judged = [
        Judged(id=row["id"], composition=row["composition"], scores=row["scores"], fingerprint=row["fingerprint"])
        for row in candidates
    ]
    for score in idle_bounds(judged, config.select):
        log.warning(
            "the bound on %s has no effect: score.backend %r does not measure it", score, config.backend_name("score")
        )
    return select(judged, config.select)


def _write_dataset(
    folder: BuildFolder,
    config: BuildConfig,
    sources: Sources,
    shards: Mapping[int, Sequence[Row]],
    planned: Mapping[str, str],
    kept: Set[str],
    funnel: Funnel,
) -> None:
    """Write the source photos, the kept scenes and the card."""
    rows = {index: [row for row in made if row["id"] in kept] for index, made in shards.items()}
    write_concepts(folder, sources.photos)
    write_splits(folder, [(index, {row["id"]: planned[row["id"]] for row in own}) for index, own in rows.items()])
    all_rows = list(chain.from_iterable(rows.values()))
    compositions = dict(Counter(row["composition"] for row in all_rows))
    words = sum(len(row["caption"].split()) for row in all_rows) / len(all_rows)
    write_card(folder, card_text(folder, config, sources, funnel, compositions, words))
