"""Plan and make more scenes until as many are kept as are asked for."""

from __future__ import annotations

import logging
from collections.abc import Callable
from math import ceil

from builder.config import BuildConfig
from builder.pipeline.annotations import read_annotations
from builder.pipeline.build_folder import BuildFolder
from builder.pipeline.finalize import choose
from builder.pipeline.plan import Plan
from builder.pipeline.reviewed_cutouts import learn_reviews

log = logging.getLogger("mycanvas")

MOST_PLANNED = 10
"""Scenes that are planned at most for each one to keep."""
LEAST_RATE = 0.05
"""Fraction of its scenes, each with all its attempts, that a step expects to be kept, at least."""
SPARE = 1.1
"""Scenes of a step, relative to what is expected to be needed."""


def make_until_kept(folder: BuildFolder, config: BuildConfig, plan: Plan, make: Callable[[int], Plan]) -> None:
    """Append steps to a plan until as many scenes are kept as `config.keep` has it; warn if they never will be.

    Args:
        folder: of the build, claimed.
        config: its [select] decides which scenes are kept.
        plan: of the build; all of its scenes are made.
        make: plans and makes scenes up to a number in all.

    Raises:
        StoreError: as `finalize`.
    """
    number = config.keep or 0
    while True:
        chosen = choose(
            folder, plan, dict(folder.markers()), config, learn_reviews(folder).photos, read_annotations(folder)
        )
        kept = chosen.selection.is_kept
        missing, rate = number - int(kept.sum()), kept.sum() / plan.rows
        if missing <= 0:
            return
        newest = chosen.made.steps == len(plan.steps) - 1
        more = min(number * MOST_PLANNED - plan.rows, number, ceil(SPARE * missing / max(LEAST_RATE, rate)))
        if more <= 0 or not kept[newest].any():
            why = "no scene of the last step was kept" if more > 0 else "that is the maximum"
            log.warning(
                "%d of the %d scenes to keep are kept, of %d that were planned; %s, so change [select], or give more "
                "photos, backgrounds or compositions:\n%s",
                *(number - missing, number, plan.rows, why, "\n".join(chosen.funnel().lines())),
            )
            return
        log.info("%d of %d scenes to keep are kept; %d more are planned", number - missing, number, more)
        plan = make(plan.rows + more)
