"""Where a photo shows ground, and whether the solver keeps objects on it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from builder.records import Cutout, Layout, PhotoFile, Placement, Rgb, Size
from builder.stages.layout.footing import SIDE, Foot, find_foot, ground_map, grounded_fraction
from tests.builder.stages.layout.test_layout import SIZE, arranged, cutout, setting

PATH, FLOWERS, SKY = (190, 160, 120), (200, 190, 30), (120, 160, 220)
PHOTO = PhotoFile(id="garden/0.jpg", path=Path("0.jpg"), sha256="")


def garden(right: float, lower: float = 1.0) -> Rgb:
    """A path with a flower bed on the left, up to this column and down to this row, both fractions of the picture."""
    pixels = np.full((SIZE, SIZE, 3), PATH, np.uint8)
    pixels[: SIZE // 3] = SKY
    pixels[SIZE // 3 : round(lower * SIZE), : round(right * SIZE)] = FLOWERS
    return pixels


def test_ground_is_what_looks_like_the_middle_of_the_lower_edge() -> None:
    ground = ground_map(garden(0.25))

    assert ground[SIDE // 2 :, SIDE // 2].all()
    assert not ground[:, : SIDE // 8].any()
    assert not ground[: SIDE // 4].any()


def test_foot_is_the_lowest_part_of_the_object() -> None:
    rgba = np.zeros((100, 80, 4), np.uint8)
    rgba[:90, :, 3] = 255
    rgba[:, 20:60, 3] = 255

    assert find_foot(Cutout(photo_id="photo", rgba=rgba, quality=1.0)) == Foot(left=0.25, right=0.75)


@pytest.mark.parametrize(("x", "fraction"), [(0.5, 1.0), (0.05, 0.0)])
def test_fraction_is_the_lowest_of_all_objects(x: float, fraction: float) -> None:
    ground = ground_map(garden(0.25))
    places = [Placement(x=round(at * SIZE), y=200, width=40, height=60, depth=0.0) for at in (0.5, x)]

    assert grounded_fraction([find_foot(cutout())] * 2, places, ground, Size(SIZE, SIZE)) == fraction


def test_an_object_cut_off_below_has_its_foot_outside_of_the_picture() -> None:
    place = Placement(x=0, y=SIZE - 60, width=40, height=60, depth=0.0)

    assert find_foot(cutout(cut_below=True)) is None
    assert grounded_fraction([None], [place], ground_map(garden(0.25)), Size(SIZE, SIZE)) == 1


def test_solver_keeps_objects_off_the_flower_bed_of_a_photo() -> None:
    pixels = garden(0.5, lower=0.87)
    ground = ground_map(pixels)

    def mean_fraction(*, photo: PhotoFile | None) -> float:
        found = []
        for index in range(20):
            given = setting([cutout(), cutout()], sample_id=f"s{index}")
            sample = replace(given.sample, background=replace(given.sample.background, photo=photo))
            background = replace(given.background, pixels=pixels)
            layout = arranged(replace(given, sample=sample, background=background))
            assert isinstance(layout, Layout)
            feet = [find_foot(each) for each in given.cutouts]
            found.append(grounded_fraction(feet, layout.placements, ground, Size(SIZE, SIZE)))
        return float(np.mean(found))

    assert mean_fraction(photo=PHOTO) > mean_fraction(photo=None) + 0.1
