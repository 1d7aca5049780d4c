"""Lower the quality of cut-outs that show something that the other photos of their concept do not show."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import median

from builder.pipeline.source_photos import CutoutUse
from builder.records import ColourCounts
from builder.stages.segment.colours import carried_ground, intrusion, unlikeness

THIN = 3
"""Quality lost per fraction of a cut-out in thin parts, beyond the median of its concept."""
GROUND, INTRUSION = 1, 0.5
"""Quality lost per fraction of a cut-out's lowest part that is ground, or that enters at the photo's lower edge."""
MOST_SIBLINGS = 30
"""Largest number of siblings that a cut-out is compared with; of more, they are taken at even intervals."""


def compare_siblings(
    cutouts: Sequence[CutoutUse], colours: Mapping[str, ColourCounts], unlike_weight: float
) -> list[CutoutUse]:
    """Subtract losses by comparison with the concept's other cut-outs from each quality, and add them to `lost`.

    Outlines that the user gave lose nothing, but the others are compared with them.

    Args:
        cutouts: of all photos.
        colours: of the cut-outs, by the photo's id.
        unlike_weight: quality lost per unit of `unlikeness`.
    """
    concepts: defaultdict[str, list[CutoutUse]] = defaultdict(list)
    for cutout in cutouts:
        concepts[cutout.concept].append(cutout)
    return [_compared(cutout, concepts[cutout.concept], colours, unlike_weight) for cutout in cutouts]


def _compared(
    cutout: CutoutUse, concept: Sequence[CutoutUse], colours: Mapping[str, ColourCounts], unlike_weight: float
) -> CutoutUse:
    if cutout.quality is None or cutout.thin is None:
        return cutout
    usual = median(other.thin for other in concept if other.thin is not None)
    lost = {"thin parts": THIN * max(0.0, cutout.thin - usual)}
    own = colours.get(cutout.id)
    others = [other.id for other in concept if other.id != cutout.id and other.id in colours]
    siblings = [colours[other] for other in others[:: -(-len(others) // MOST_SIBLINGS) or 1]]
    if own is not None:
        lost["ground"] = GROUND * carried_ground(own, siblings)
        lost["something at the frame"] = INTRUSION * intrusion(own, siblings) if cutout.cut_off else 0.0
        lost["unlike the other photos"] = unlike_weight * unlikeness(own, siblings)
    return replace(cutout, quality=max(0.0, cutout.quality - sum(lost.values())), lost={**cutout.lost, **lost})
