"""Quality that a cut-out loses by comparison with the other photos of its concept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

from builder.pipeline.cutout_decisions import choose_cutouts
from builder.pipeline.siblings import compare_siblings
from builder.pipeline.source_photos import CutoutUse
from builder.records import ColourCounts
from builder.stages.segment.colours import BINS

OWN, GREEN, SKIN = (4, 12, 8), (4, 4, 12), (6, 9, 10)
"""Bins of colours, far from each other."""


def cutout(number: int, **changes: object) -> CutoutUse:
    """A cut-out of quality 0.9, in the photo with this number."""
    mug = CutoutUse(
        id=f"mug/{number}.jpg", concept="mug", token="<mug>", class_noun="mug", height_cm=None, attribution=None,
        key=f"mug{number}", quality=0.9, thin=0.0,
    )  # fmt: skip
    return replace(mug, **changes)


def colours(foot: tuple[int, int, int] = OWN, ground: tuple[int, int, int] = SKIN) -> ColourCounts:
    """400 pixels, of which the lowest 100 are of one colour, and the ground's."""
    counts = np.zeros((3, *BINS), np.uint16)
    counts[(0, *OWN)] = 300
    counts[(0, *foot)] += 100
    counts[(1, *foot)] = 100
    counts[(2, *ground)] = 200
    return counts


def lost(changed: ColourCounts, *, unlike: float = 0.0, **changes: object) -> tuple[CutoutUse, Mapping[str, float]]:
    """The cut-out with these colours among three others, and what its quality lost."""
    known = {cutout(number).id: colours() for number in range(3)} | {cutout(3).id: changed}
    found = compare_siblings([*map(cutout, range(3)), cutout(3, **changes)], known, unlike)[3]
    return found, {name: loss for name, loss in found.lost.items() if loss > 0.01}


def test_carried_ground_is_named() -> None:
    found, losses = lost(colours(foot=GREEN, ground=GREEN), lost={"see-through": 0.05})

    assert losses == {"ground": pytest.approx(1, abs=0.2), "see-through": 0.05}
    (chosen,) = choose_cutouts([found], 0.8, keep_best=True)
    assert chosen.why.endswith(f"below 0.8 (ground -{losses['ground']:.2f}, see-through -0.05)")


def test_what_comes_in_at_the_frame_counts_only_where_the_photo_cuts_the_object_off() -> None:
    assert lost(colours(foot=SKIN, ground=GREEN), cut_off=True)[1] == {
        "something at the frame": pytest.approx(0.5, abs=0.1)
    }
    assert lost(colours(foot=SKIN, ground=GREEN), cut_off=False)[1] == {}


def test_unlikeness_counts_with_the_weight_of_the_segmenter() -> None:
    found, losses = lost(colours(foot=SKIN, ground=GREEN), unlike=0.4)

    assert losses == {"unlike the other photos": pytest.approx(0.4 * 0.25, abs=0.02)}
    assert found.quality == pytest.approx(0.9 - losses["unlike the other photos"], abs=0.01)


def test_an_outline_that_the_user_gave_loses_nothing() -> None:
    assert lost(colours(foot=GREEN, ground=GREEN), unlike=0.4, thin=None, masked=True)[1] == {}


def test_a_photo_without_a_cutout_stays_as_it_is() -> None:
    missing = cutout(0, quality=None, thin=None)

    assert compare_siblings([missing], {}, 0.3) == [missing]


def test_of_many_siblings_some_are_compared() -> None:
    many = [cutout(number) for number in range(100)]
    known = {each.id: colours() for each in many} | {many[50].id: colours(foot=GREEN, ground=GREEN)}

    found = compare_siblings(many, known, 0.0)

    assert [each.id for each in found if each.lost["ground"] > 0.5] == [many[50].id]
