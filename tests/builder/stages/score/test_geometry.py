"""Scores of sizes and of standing, of a scene and of the same scene with a mistake."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from builder.records import Background, BackgroundRef, Concept, Cutout, Layout, Placement, Sample, Setting
from builder.stages.score.geometry import floating, proportion

SIZE = 200
HORIZON, GROUND = 0.25, 0.5


def layout(*objects: tuple[float | None, float, float], cut_off: bool = False) -> Layout:
    """Objects with their real height, the row of their foot and their drawn height, both fractions of the picture."""
    concepts = tuple(
        Concept(name=f"thing{i}", token=f"<thing{i}>", class_noun="thing", height_cm=height, photos=())
        for i, (height, _, _) in enumerate(objects)
    )
    sample = Sample(
        id="s0",
        concepts=concepts,
        photo_ids=("photo",) * len(objects),
        background=BackgroundRef(scene="garden", phrase="in a garden"),
    )
    cutouts = (Cutout(photo_id="photo", rgba=np.zeros((4, 4, 4), np.uint8), quality=1.0, cut_off=cut_off),)
    background = Background(pixels=np.zeros((SIZE, SIZE, 3), np.uint8), horizon=HORIZON, ground=GROUND)
    places = tuple(
        Placement(x=0, y=round((row - drawn) * SIZE), width=20, height=round(drawn * SIZE), depth=0.0)
        for _, row, drawn in objects
    )
    return Layout(
        setting=Setting(sample=sample, cutouts=cutouts * len(objects), background=background), placements=places
    )


def test_sizes_in_the_ratio_of_the_heights_are_in_proportion_at_any_distance() -> None:
    assert proportion(layout((40, 0.75, 0.4), (20, 0.75, 0.2))) == 1
    assert proportion(layout((40, 0.75, 0.4), (20, 0.5, 0.1))) == 1, "half as far below the horizon, half as large"


@pytest.mark.parametrize("drawn", [0.4, 0.1])
def test_an_object_of_twice_or_half_its_size_is_out_of_proportion(drawn: float) -> None:
    assert proportion(layout((40, 0.75, 0.4), (20, 0.75, drawn))) == pytest.approx(2)


def test_a_lifted_object_is_too_large_for_its_distance() -> None:
    assert proportion(layout((40, 0.75, 0.4), (40, 0.5, 0.4))) == pytest.approx(2)


def test_a_wide_range_of_sizes_may_be_equalised_but_not_reversed() -> None:
    assert proportion(layout((100, 0.75, 0.5), (10, 0.75, 0.2))) == 1
    assert proportion(layout((100, 0.75, 0.4), (10, 0.75, 0.04))) == 1
    assert proportion(layout((100, 0.75, 0.2), (10, 0.75, 0.2))) == pytest.approx(2.5)


def test_objects_of_unknown_height_are_not_compared() -> None:
    assert proportion(layout((None, 0.75, 0.6), (20, 0.75, 0.1))) == 1


def test_floating_is_the_distance_of_the_foot_from_the_ground() -> None:
    assert list(floating(layout((20, 0.6, 0.2), (20, 0.4, 0.2)))) == pytest.approx([0, GROUND - 0.4])


def test_an_object_cut_off_below_floats_unless_it_is_on_the_lower_edge() -> None:
    assert list(floating(layout((20, 1.0, 0.2), (20, 0.8, 0.2), cut_off=True))) == pytest.approx([0, 0.2])


def test_ground_higher_up_lets_objects_stand_higher() -> None:
    low = layout((20, 0.4, 0.2))
    setting = replace(low.setting, background=replace(low.setting.background, ground=0.35))

    assert list(floating(replace(low, setting=setting))) == [0]
