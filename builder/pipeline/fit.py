"""Fit thresholds of a build's selection to people's ranks of scenes and decisions about cut-outs."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from builder.pipeline.annotations import read_annotations
from builder.pipeline.build_folder import BuildFolder
from builder.pipeline.finalize import changed_selection
from builder.pipeline.reviewed_cutouts import current_sources, effective_scores, leaving_scenes
from builder.stages.select import SelectConfig
from mycanvas.io.messages import counted
from mycanvas.ratings.acceptance import AcceptanceFit, RankedScene, fit_acceptance
from mycanvas.ratings.gate import GateFit, JudgedCutout, fit_gate

log = logging.getLogger("mycanvas")


def fit_ranks(path: Path, precision: float, changes: Mapping[str, Any], *, reset: bool = False) -> AcceptanceFit:
    """Fit an acceptance score to the ranked scenes of a build, without those that leave for their cut-outs.

    Args:
        path: the folder.
        precision: of the scenes above the bound, see `fit_acceptance`.
        changes: of the selection that will use the score, as for `reselect`. People accept a scene of its `min_rank`,
            or of the default one where ranks do not count.
        reset: as for `reselect`.

    Raises:
        InputError: as `fit_acceptance`.
        StoreError: the folder holds no build, or a file is damaged.
    """
    folder = BuildFolder.open(path)
    ranks = read_annotations(folder).ranks
    photos = {photo.id: photo for photo in current_sources(folder).photos}
    min_rank = changed_selection(folder, changes, reset=reset).get("min_rank") or SelectConfig().min_rank or 0
    rows = [
        row
        for index, _ in folder.markers()
        for row in folder.candidates(index, ("id", "composition", "scores", "source_images"))
        if row["id"] in ranks
    ]
    gone = leaving_scenes(rows, list(photos.values()))
    if gone:
        log.info("without the ranks of %s, whose cut-outs were refused or replaced", counted(len(gone), "scene"))
    scenes = [
        RankedScene(
            composition=row["composition"],
            scores=effective_scores(row, photos),
            accepted=ranks[row["id"]] >= min_rank,
        )
        for row in rows
        if row["id"] not in gone
    ]
    return fit_acceptance(scenes, precision)


def fit_cutouts(path: Path, precision: float) -> GateFit:
    """Fit the bound on the quality of cut-outs to those that people accepted as they were cut, and refused.

    Args:
        path: the folder.
        precision: of the cut-outs above the bound, see `fit_gate`.

    Raises:
        InputError: as `fit_gate`.
        StoreError: the folder holds no build, or a file is damaged.
    """
    photos = current_sources(BuildFolder.open(path)).photos
    judged = [
        JudgedCutout(concept=photo.concept, quality=photo.quality, accepted=photo.review == "use")
        for photo in photos
        if photo.review and photo.quality is not None and photo.thin is not None and not photo.review_mask
    ]
    return fit_gate(judged, precision)
