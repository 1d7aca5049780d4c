"""Fit thresholds of a build's selection to what people said about its scenes."""

from __future__ import annotations

from pathlib import Path

from builder.pipeline.build_folder import BuildFolder
from builder.pipeline.finalize import last_selection
from builder.pipeline.people import read_people
from builder.stages.select import SelectConfig
from mycanvas.ratings.acceptance import AcceptanceFit, RankedScene, fit_acceptance


def fit_ranks(path: Path, precision: float, min_rank: int | None = None) -> AcceptanceFit:
    """Fit an acceptance score to the ranked scenes of a build; nothing is written.

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
    accepted = min_rank or last_selection(folder).get("min_rank") or SelectConfig().min_rank or 0
    scenes = [
        RankedScene(composition=row["composition"], scores=row["scores"], accepted=ranks[row["id"]] >= accepted)
        for index, _ in folder.markers()
        for row in folder.candidates(index, ("id", "composition", "scores"))
        if row["id"] in ranks
    ]
    return fit_acceptance(scenes, precision)
