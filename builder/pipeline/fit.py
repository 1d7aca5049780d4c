"""Fit thresholds of a build's selection to what people said about its scenes and cut-outs. Nothing is written."""

from __future__ import annotations

import logging
from pathlib import Path

from builder.pipeline.build_folder import BuildFolder
from builder.pipeline.finalize import last_selection
from builder.pipeline.people import read_people
from builder.pipeline.reviewed_cutouts import current_sources, effective_scores, leaving_scenes
from builder.stages.select import SelectConfig
from mycanvas.io.messages import counted
from mycanvas.ratings.acceptance import AcceptanceFit, RankedScene, fit_acceptance
from mycanvas.ratings.gate import GateFit, JudgedCutout, fit_gate

log = logging.getLogger("mycanvas")


def fit_ranks(path: Path, precision: float, min_rank: int | None = None) -> AcceptanceFit:
    """Fit an acceptance score to the ranked scenes of a build, without those that leave for their cut-outs.

    Args:
        path: the folder.
        precision: of the scenes above the bound, see `fit_acceptance`.
        min_rank: people accept a scene of this rank; None: that of the last selection, or the default.

    Raises:
        InputError: as `fit_acceptance`.
        StoreError: the folder holds no build, or a file is damaged.
    """
    folder = BuildFolder.open(path)
    ranks = read_people(folder).ranks
    photos = {photo.id: photo for photo in current_sources(folder).photos}
    accepted = min_rank or last_selection(folder).get("min_rank") or SelectConfig().min_rank or 0
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
            accepted=ranks[row["id"]] >= accepted,
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
