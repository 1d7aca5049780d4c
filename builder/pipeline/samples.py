"""Draw the scenes of a build from the cut-outs that they may show: for its plan, and again for its layers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from builder.pipeline.context import BuildContext
from builder.pipeline.source_photos import CutoutUse
from builder.pipeline.themes import find_themes
from builder.records import BackgroundRef, Concept, Sample
from builder.stages.plan import choose_compositions, draw_plan


def draw_samples(
    context: BuildContext,
    concepts: Sequence[Concept],
    cutouts: Sequence[CutoutUse],
    backgrounds: Sequence[BackgroundRef],
) -> tuple[Sample, ...]:
    """Draw every scene of a build.

    Args:
        context: the build.
        concepts: those with a cut-out of the plan.
        cutouts: of all photos.
        backgrounds: of the build.
    """
    by_name = {concept.name: concept for concept in concepts}
    names_of_all = choose_compositions(sorted(by_name), context.config)
    themes = find_themes(context, [tuple(by_name[name] for name in names) for names in names_of_all], backgrounds)
    return draw_plan(concepts, planned_photos(cutouts), backgrounds, context.config, themes)


def planned_photos(cutouts: Sequence[CutoutUse]) -> Mapping[str, Sequence[str]]:
    """Map each concept to the ids of the photos whose cut-outs the plan is drawn with."""
    planned: defaultdict[str, list[str]] = defaultdict(list)
    for cutout in cutouts:
        if cutout.in_plan:
            planned[cutout.concept].append(cutout.id)
    return planned
