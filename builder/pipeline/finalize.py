"""Make the dataset from the candidates: select, copy the kept bytes, write the card, and last the manifest."""

from __future__ import annotations

import json
import logging
import shlex
from collections import Counter, defaultdict
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from statistics import fmean
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pyarrow as pa

from builder.config import BuildConfig, parse_config, profile_selection
from builder.pipeline.annotations import ANNOTATED, Annotations, changed_columns, read_annotations
from builder.pipeline.build_folder import BuildFolder
from builder.pipeline.card import card_text
from builder.pipeline.card_plots import check_plots, draw_card_plots, write_plots
from builder.pipeline.claim import claim
from builder.pipeline.dataset_writer import link_shards, store_concepts, store_splits, write_card
from builder.pipeline.funnel import Funnel
from builder.pipeline.made import Made, judge, read_made
from builder.pipeline.manifest import MadeFrom, Manifest, is_current, last_manifest, write_manifest
from builder.pipeline.plan import Plan, scene_of
from builder.pipeline.remote import fetch_settings, in_output
from builder.pipeline.reviewed_cutouts import learn_reviews, waiting_note
from builder.pipeline.rows import Row
from builder.pipeline.source_photos import CutoutUse, Sources, height_lines, summary_lines
from builder.pipeline.stored_records import Marker
from builder.stages.layout.replies import tally
from builder.stages.select import Selection, idle_bounds, select
from mycanvas.errors import StoreError
from mycanvas.io.checked import digest, read_checked, read_checked_or_none
from mycanvas.ratings.tables import warn_of_unknown
from mycanvas.schema import split_of

log = logging.getLogger("mycanvas")


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
        return {"folder": self.folder.place, "funnel": asdict(self.funnel)}

    def lines(self) -> list[str]:
        """Format the result for a terminal, with the commands to run next."""
        path, typed = json.dumps(self.folder.place, ensure_ascii=False), shlex.quote(self.folder.place)
        here = shlex.quote(str(self.folder.path))  # of a build at a URL, its copy on this machine
        return [
            *([*summary_lines(self.photos), *height_lines(self.photos), ""] if self.photos else []),
            *self.funnel.lines(),
            *([self.note] if self.note else []),
            *tally(self.folder.replies).lines(),
            "",
            f'load it:     import mycanvas, datasets; datasets.load_dataset("mycanvas", data_dir={path})',
            f"look at it:  mycanvas inspect {here}",
            f"review it:   mycanvas review {here}",
            f"choose:      mycanvas select {typed} --help",
        ]


def reselect(place: Path | str, changes: Mapping[str, Any], *, reset: bool = False) -> Summary:
    """Repeat the selection in a finished build with other thresholds.

    Args:
        place: the folder of the build, or its URL.
        changes: keys of [select]; None removes a bound.
        reset: start from the profile's thresholds; otherwise from those of the last selection.

    Raises:
        ConfigError: a threshold is invalid.
        StoreError: as `finalize`, or the folder holds no build.
    """
    return in_output(place, partial(_reselect, changes, reset))


def _reselect(changes: Mapping[str, Any], reset: bool, folder: BuildFolder) -> Summary:
    folder.check_build()
    with claim(folder, folder.request()):
        if not folder.config_file.is_file():
            raise StoreError(f"{folder.place} is not finished; run the same `mycanvas build` again to finish it")
        values = read_checked(folder.config_file, dict[str, Any])
        config = parse_config({**values, "select": changed_selection(folder, changes, reset=reset)})
        options = " ".join(_option(name, value) for name, value in changes.items())
        summary = finalize(folder, config, options or "[select]")
        folder.publish()
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


def present_selection(place: Path | str) -> dict[str, Any]:
    """Read the [select] of the dataset of a build, as `last_selection` does; a copy of one at a URL is not changed.

    Args:
        place: the folder of the build, or its URL.

    Raises:
        StoreError: it holds no build, or the URL cannot be read.
        InputError: the folder cannot be read.
    """
    if isinstance(place, Path):
        return last_selection(BuildFolder.open(place))
    with TemporaryDirectory() as copy:
        return last_selection(fetch_settings(place, Path(copy)))


def finalize(folder: BuildFolder, config: BuildConfig, selected_by: str = "[select]") -> Summary:
    """Make the dataset from the candidates: read their scores and copy their bytes. No picture is decoded.

    Args:
        folder: the build folder, claimed.
        config: its [select] decides which scenes are kept.
        selected_by: the options that the user gave, for the error that no scene is kept.

    Raises:
        StoreError: the build is not finished, a file is damaged, or no scene would be kept; an earlier dataset stays.
    """
    sources, annotated = learn_reviews(folder), read_annotations(folder)
    plan, markers = folder.plan(), dict(folder.markers())
    made_from = MadeFrom(
        select=config.select.model_dump(mode="json"),
        license=config.license,
        candidates=tuple(marker.sha256 for marker in markers.values()),
        sources=digest(asdict(sources)),
        annotations=annotated.digest(),
        keep=config.keep,
    )
    _warn_of_unknown(annotated, plan)
    before = last_manifest(folder)
    if before and before.made_from == made_from and is_current(folder, before):
        funnel = before.funnel.ordered()
    else:
        chosen = choose(folder, plan, markers, config, sources.photos, annotated)
        funnel = chosen.funnel()
        if not chosen.selection.kept:
            stays = "; the earlier selection stays" if folder.selected_file.is_file() else ""
            raise StoreError(
                "\n".join([f"{folder.place}: no scene would be kept by {selected_by}{stays}", *funnel.lines()])
            )
        folder.check_candidates({index: markers[index] for index, own in chosen.kept_by_shard() if own})
        _write_dataset(folder, config, chosen, sources, annotated, made_from, before)
    return Summary(folder=folder, funnel=funnel, photos=sources.every_photo(), note=waiting_note(sources.photos))


def _write_dataset(
    folder: BuildFolder,
    config: BuildConfig,
    chosen: Chosen,
    sources: Sources,
    annotated: Annotations,
    made_from: MadeFrom,
    before: Manifest | None,
) -> None:
    """Store the shards of the dataset, link them, write the card, and last the manifest; before: the earlier one."""
    splits, annotated_ids = chosen.kept_by_shard(), annotated.ids()
    edited = (
        row for index, own in splits if annotated_ids for row in _kept(folder, index, own, ANNOTATED, annotated_ids)
    )
    changes = changed_columns(edited, annotated, config.caption.max_words)
    plots = draw_card_plots(folder, splits)
    check_plots(folder, plots, before)
    known = before.files if before and before.made_from.sources == made_from.sources else {}
    stored = store_concepts(folder, sources.photos, known) | store_splits(folder, splits, changes)
    link_shards(folder, stored, before)
    captions = (row for index, own in splits for row in _kept(folder, index, own, ("caption",)))
    words = fmean(len({**row, **changes.get(row["id"], {})}["caption"].split()) for row in captions)
    funnel = chosen.funnel()
    text = card_text(folder, config, sources, funnel, stored, chosen.compositions(), words, plots.plots)
    drawn = write_plots(folder, plots)
    write_manifest(folder, stored, write_card(folder, text, before), drawn, made_from, funnel)


def _warn_of_unknown(annotated: Annotations, plan: Plan) -> None:
    """Warn of annotations of scenes that the build lacks."""
    items = sorted({*annotated.ids(), *annotated.flags})
    scenes, known = {scene_of(item) for item in items}, set[str]()
    for batch in plan.columns("id") if items else ():
        known |= scenes.intersection(batch.column("id").to_pylist())
    warn_of_unknown(items, {item for item in items if scene_of(item) in known})


def _kept(
    folder: BuildFolder, shard: int, kept: Container[str], columns: Sequence[str], only: Container[str] | None = None
) -> Iterator[Row]:
    """The id and some columns of the kept scenes of a shard; of `only` some, if given."""
    if not kept:
        return
    for row in folder.candidates(shard, ("id", *columns)):
        if row["id"] in kept and (only is None or row["id"] in only):
            yield row


@dataclass(frozen=True, kw_only=True, slots=True)
class Chosen:
    """The candidates of a build, and which of them are kept."""

    made: Made
    selection: Selection

    def funnel(self) -> Funnel:
        """Count everything."""
        splits, kept = self.made.splits(), self.selection.is_kept
        return Funnel.count(
            planned=self.made.planned,
            again=self.made.attempts(),
            rejected=self.made.rejected,
            made=Counter(splits.tolist()),
            dropped=self.selection.counts(),
            kept=Counter(splits[kept].tolist()),
        )

    def compositions(self) -> dict[str, int]:
        """The number of kept scenes of each composition, in the order of the plan."""
        kept = self.made.table.column("composition").filter(pa.array(self.selection.is_kept))
        return dict(Counter(kept.to_pylist()))

    def kept_by_shard(self) -> list[tuple[int, dict[str, str]]]:
        """For each shard of candidates, in order: its number, and the split of each kept id."""
        found: defaultdict[int, dict[str, str]] = defaultdict(dict)
        sizes, shards, ids = self.made.sizes(), self.made.shards, self.selection.ids
        for index in np.flatnonzero(self.selection.is_kept).tolist():
            found[int(shards[index])][ids[index]] = split_of(int(sizes[index]))
        return sorted(found.items())


def choose(
    folder: BuildFolder,
    plan: Plan,
    markers: Mapping[int, Marker],
    config: BuildConfig,
    photos: Sequence[CutoutUse],
    annotated: Annotations,
) -> Chosen:
    """Select the candidates to keep; only score columns are read. Warn of bounds that have no effect.

    Raises:
        StoreError: the build is not finished.
    """
    made = read_made(folder, plan, markers)
    candidates = judge(made, photos, annotated)
    for score in idle_bounds(candidates, config.select):
        log.warning(
            "the bound or weight on %s has no effect: score.backend %r did not measure it",
            *(score, config.backend_name("score")),
        )
    return Chosen(made=made, selection=select(candidates, config.select, config.keep))
