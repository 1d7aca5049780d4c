"""Make the dataset from the candidates: select, copy the kept bytes, write the card, and last the manifest."""

from __future__ import annotations

import json
import logging
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

from builder.config import BuildConfig, parse_config, profile_selection
from builder.pipeline.annotations import ANNOTATED, Annotations, changed_columns, read_annotations
from builder.pipeline.build_folder import BuildFolder
from builder.pipeline.card import card_text
from builder.pipeline.card_plots import check_plots, draw_card_plots, write_plots
from builder.pipeline.claim import claim
from builder.pipeline.dataset_writer import link_shards, store_concepts, store_splits, write_card
from builder.pipeline.funnel import Funnel
from builder.pipeline.manifest import MadeFrom, is_current, last_manifest, write_manifest
from builder.pipeline.reviewed_cutouts import effective_scores, learn_reviews, leaving_scenes, waiting_note
from builder.pipeline.rows import Row
from builder.pipeline.source_photos import CutoutUse, Sources, height_lines, summary_lines
from builder.pipeline.stored_records import Marker
from builder.records import Rejected
from builder.stages.layout.replies import tally
from builder.stages.select import Judged, Selection, idle_bounds, select
from mycanvas.errors import StoreError
from mycanvas.io.checked import digest, read_checked, read_checked_or_none
from mycanvas.io.messages import counted
from mycanvas.ratings.tables import warn_of_unknown
from mycanvas.schema import split_of

log = logging.getLogger("mycanvas")

COLUMNS = ("id", "composition", "scores", "fingerprint", "caption", "source_images", *ANNOTATED)
"""The columns of a candidate that are read; none is a picture."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Summary:
    """The result of a build or a selection.

    photos: all source photos; empty for a selection, which changes none.
    note: about cut-outs that were accepted or fixed since the plan; None if there are none.
    """

    folder: BuildFolder
    funnel: Funnel
    photos: tuple[CutoutUse, ...]
    note: str | None = None

    def as_json(self) -> dict[str, Any]:
        """Convert the folder and the counts to JSON types."""
        return {"folder": str(self.folder.path), "funnel": asdict(self.funnel)}

    def lines(self) -> list[str]:
        """Format the result for a terminal, with the commands to run next."""
        path, typed = json.dumps(str(self.folder.path), ensure_ascii=False), shlex.quote(str(self.folder.path))
        return [
            *([*summary_lines(self.photos), *height_lines(self.photos), ""] if self.photos else []),
            *self.funnel.lines(),
            *([self.note] if self.note else []),
            *tally(self.folder.replies).lines(),
            "",
            f'load it:     import mycanvas, datasets; datasets.load_dataset("mycanvas", data_dir={path})',
            f"look at it:  mycanvas inspect {typed}",
            f"review it:   mycanvas review {typed}",
            f"choose:      mycanvas select {typed} --help",
        ]


def reselect(path: Path, changes: Mapping[str, Any], *, reset: bool = False) -> Summary:
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
        if not folder.config_file.is_file():
            raise StoreError(f"{path} is not finished; run the same `mycanvas build` again to finish it")
        values = read_checked(folder.config_file, dict[str, Any])
        config = parse_config({**values, "select": changed_selection(folder, changes, reset=reset)})
        options = " ".join(_option(name, value) for name, value in changes.items())
        summary = finalize(folder, config, options or "[select]")
        return replace(summary, photos=())


def _option(name: str, value: Any) -> str:
    """A change of [select] as it is typed."""
    if isinstance(value, Mapping):
        return "the fitted score"
    return f"--{name.replace('_', '-')} {'none' if value is None else f'{value:g}'}"


def changed_selection(folder: BuildFolder, changes: Mapping[str, Any], *, reset: bool) -> dict[str, Any]:
    """The [select] that `reselect` uses, before it is validated; the arguments are as there.

    Raises:
        StoreError: the file of the configuration is damaged.
    """
    if not reset:
        return {**last_selection(folder), **changes}
    return {**profile_selection(read_checked(folder.config_file, dict[str, Any])["profile"]), **changes}


def last_selection(folder: BuildFolder) -> dict[str, Any]:
    """Read the [select] of the dataset in the folder; if there is none, or its file is damaged, that of the build."""
    manifest = last_manifest(folder)
    if manifest:
        return manifest.made_from.select
    if folder.selected_file.is_file():
        log.warning("%s is damaged; thresholds of an earlier `mycanvas select` are lost", folder.selected_file)
    values = read_checked_or_none(folder.config_file, dict[str, Any])
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
    sources = learn_reviews(folder)
    note = waiting_note(sources.photos)
    annotated = read_annotations(folder)
    markers = list(folder.markers())
    made_from = MadeFrom(
        select=config.select.model_dump(mode="json"),
        license=config.license,
        candidates=tuple(marker.sha256 for _, marker in markers),
        sources=digest(asdict(sources)),
        annotations=annotated.digest(),
    )
    planned = {scene.id: split_of(scene.num_objects) for scene in folder.plan()}
    warn_of_unknown({**annotated.ranks, **annotated.flags, **annotated.captions}, planned)
    before = last_manifest(folder)
    if before and before.made_from == made_from and is_current(folder, before):
        return Summary(folder=folder, funnel=before.funnel.ordered(), photos=sources.every_photo(), note=note)
    shards, rejected = _read_shards(folder, markers)
    candidates = [row for rows in shards.values() for row in rows]
    _check_all_made(folder, planned, candidates, rejected)
    selection = _select(candidates, config, sources, annotated)
    funnel = Funnel.count(planned, rejected, [row["id"] for row in candidates], selection)
    if not selection.kept:
        stays = "; the earlier selection stays" if folder.selected_file.is_file() else ""
        raise StoreError("\n".join([f"{folder.path}: no scene would be kept by {selected_by}{stays}", *funnel.lines()]))
    ids = set(selection.kept)
    kept = {index: [row for row in made if row["id"] in ids] for index, made in shards.items()}
    changes = changed_columns(chain.from_iterable(kept.values()), annotated, config.caption.max_words)
    splits = [(index, {row["id"]: planned[row["id"]] for row in own}) for index, own in kept.items()]
    plots = draw_card_plots(folder, splits)
    check_plots(folder, plots, before)
    known = before.files if before and before.made_from.sources == made_from.sources else {}
    stored = store_concepts(folder, sources.photos, known) | store_splits(folder, splits, changes)
    link_shards(folder, stored, before)
    rows = [{**row, **changes.get(row["id"], {})} for row in chain.from_iterable(kept.values())]
    text = card_text(folder, config, sources, funnel, stored, rows, plots.plots)
    drawn = write_plots(folder, plots)
    write_manifest(folder, stored, write_card(folder, text, before), drawn, made_from, funnel)
    return Summary(folder=folder, funnel=funnel, photos=sources.every_photo(), note=note)


def _read_shards(
    folder: BuildFolder, markers: Sequence[tuple[int, Marker]]
) -> tuple[dict[int, list[Row]], list[Rejected]]:
    """Read COLUMNS of each shard's candidates, and all rejections."""
    shards: dict[int, list[Row]] = {}
    rejected: list[Rejected] = []
    for index, marker in markers:
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
        left = f"{counted(len(missing), 'scene')} {'is' if len(missing) == 1 else 'are'} not made yet"
        raise StoreError(f"{folder.path}: {left}; run the same `mycanvas build` again first")


def judge(candidates: Sequence[Row], photos: Sequence[CutoutUse], annotated: Annotations) -> list[Judged]:
    """Collect everything by which candidates are selected.

    Args:
        candidates: `id`, `composition`, `scores`, `fingerprint` and `source_images` of all candidates of a build.
        photos: of the build, with the present decisions about cut-outs.
        annotated: people's ranks and flags.
    """
    refused = leaving_scenes(candidates, photos)
    by_id = {photo.id: photo for photo in photos}
    return [
        Judged(
            id=row["id"],
            composition=row["composition"],
            scores=effective_scores(row, by_id),
            fingerprint=row["fingerprint"],
            rank=annotated.ranks.get(row["id"]),
            flag=annotated.flags.get(row["id"]),
            refused=refused.get(row["id"]),
        )
        for row in candidates
    ]


def _select(candidates: Sequence[Row], config: BuildConfig, sources: Sources, annotated: Annotations) -> Selection:
    """Select the candidates to keep; warn of bounds that have no effect."""
    judged = judge(candidates, sources.photos, annotated)
    for score in idle_bounds(judged, config.select):
        log.warning(
            "the bound or weight on %s has no effect: score.backend %r did not measure it",
            *(score, config.backend_name("score")),
        )
    return select(judged, config.select)
