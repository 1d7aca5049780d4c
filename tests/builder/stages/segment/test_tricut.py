"""TriCut on drawn photos and rendered toys."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from builder.demo.photograph import photograph
from builder.demo.render import TOYS
from builder.records import Cutout, Photo, Rejected
from builder.stages.segment.calibration import calibration
from builder.stages.segment.tricut import residue
from tests.builder.stages.segment.drawings import (
    Drawing,
    ball,
    bottle,
    cut,
    draw,
    ground,
    in_grass,
    iou,
    low_ball,
    mug,
)

GATE = calibration("tricut").min_quality


@pytest.fixture(scope="session")
def drawings() -> list[Drawing]:
    return [
        draw("ball", ball, (200, 40, 35)),
        draw("bottle", bottle, (30, 90, 190), floor=(150, 120, 90)),
        draw("mug", mug, (225, 215, 60), floor=(60, 95, 55)),
    ]


def test_drawn_objects_are_found_with_high_quality(drawings: list[Drawing]) -> None:
    results = cut([photo for photo, _ in drawings])

    for (_, truth), result in zip(drawings, results, strict=True):
        assert isinstance(result, Cutout)
        assert iou(result.mask, truth) > 0.93, result.photo_id
        assert result.quality >= GATE, result.photo_id


def test_rendered_toys_are_cut_out_along_their_outline() -> None:
    ious = []
    for name, view in (("ball", 0), ("cactus", 1), ("mug", 2), ("rocket", 2)):
        pixels, alpha = photograph(TOYS[name], view, size=160)
        (result,) = cut([Photo(id=name, pixels=pixels)])
        assert isinstance(result, Cutout)
        ious.append(iou(result.mask, alpha >= 128))

    assert np.mean(ious) >= 0.9, ious


def test_cut_out_depends_on_its_own_photo_only(drawings: list[Drawing]) -> None:
    photos = [photo for photo, _ in drawings]

    forwards, backwards = cut(photos[:2]), cut(photos[1::-1])[::-1]
    cv2.setRNGSeed(77)
    alone = cut(photos[:1])

    for one, other in zip([*forwards, forwards[0]], [*backwards, alone[0]], strict=True):
        assert isinstance(one, Cutout)
        assert isinstance(other, Cutout)
        assert one.quality == other.quality
        assert np.array_equal(one.rgba, other.rgba)


def test_cut_out_does_not_depend_on_threads(drawings: list[Drawing]) -> None:
    before = cv2.getNumThreads()
    results = []
    for threads in (1, 4):
        cv2.setNumThreads(threads)
        results.append(cut([drawings[0][0]])[0])
    cv2.setNumThreads(before)

    one, four = results
    assert isinstance(one, Cutout)
    assert isinstance(four, Cutout)
    assert one.quality == four.quality
    assert np.array_equal(one.rgba, four.rgba)


def test_photos_without_an_object_have_low_quality() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (120, 120, 3), np.uint8)
    empty = [
        Photo(id="plain wall", pixels=np.full((120, 120, 3), 200, np.uint8)),
        Photo(id="noise", pixels=noise),
        Photo(id="floor", pixels=ground((120, 120), (120, 120, 120), seed=1).astype(np.uint8)),
    ]

    for result in cut(empty):
        assert isinstance(result, Rejected) or result.quality < GATE


def test_edge_has_the_object_s_own_colour() -> None:
    alpha = np.zeros((240, 240), np.uint8)
    cv2.circle(alpha, (120, 120), 70, 255, -1, cv2.LINE_AA)
    opacity = cv2.GaussianBlur(alpha, (0, 0), 2)[..., None].astype(np.float32) / 255
    pixels = (opacity * [220, 20, 20] + (1 - opacity) * [20, 20, 220]).astype(np.uint8)

    (result,) = cut([Photo(id="disc", pixels=pixels)])

    assert isinstance(result, Cutout)
    seen = result.rgba[result.rgba[..., 3] > 12].astype(int)
    assert seen[:, 2].max() < 70, "blue of the ground is left at the edge"
    assert seen[:, 0].min() > 170


def test_cut_out_has_the_requested_side_and_a_transparent_margin(drawings: list[Drawing]) -> None:
    (result,) = cut([drawings[0][0]], side=60)

    assert isinstance(result, Cutout)
    assert max(result.rgba.shape) == 60
    alpha = result.rgba[..., 3]
    assert np.concatenate([alpha[0], alpha[-1], alpha[:, 0], alpha[:, -1]]).max() == 0
    assert result.mask.shape == drawings[0][0].pixels.shape[:2]


def test_black_bars_are_not_part_of_the_photo(drawings: list[Drawing]) -> None:
    inner, truth = drawings[0]
    barred = np.zeros((160, 260, 3), np.uint8)
    barred[:, 50:210] = inner.pixels

    (result,) = cut([Photo(id="barred", pixels=barred)])

    assert isinstance(result, Cutout)
    assert iou(result.mask[:, 50:210], truth) > 0.93


def test_object_that_leaves_the_photo_below_is_found_with_high_quality() -> None:
    drawing, truth = draw("low ball", low_ball, (200, 40, 35))

    (result,) = cut([drawing])

    assert isinstance(result, Cutout)
    assert iou(result.mask, truth) > 0.93
    assert result.quality >= GATE


def test_toy_in_grass_is_found_with_low_quality() -> None:
    pixels, alpha = photograph(TOYS["mug"], 0, size=320)
    seen = in_grass(alpha >= 128)
    grain = np.random.default_rng(1).normal(0, 25, (320, 320, 1))
    grown = np.where(seen[..., None], pixels, np.clip(np.array((70, 130, 45)) + grain, 0, 255)).astype(np.uint8)

    clear, hidden = cut([Photo(id="clear", pixels=pixels), Photo(id="hidden", pixels=grown)])

    assert isinstance(clear, Cutout)
    assert isinstance(hidden, Cutout)
    assert iou(hidden.mask, seen) > 0.95
    assert hidden.quality < GATE <= clear.quality


def test_residue_is_high_if_a_part_of_the_object_is_left_out() -> None:
    pixels = np.full((120, 120, 3), (120, 125, 110), np.uint8)
    pixels[40:80, 40:80], pixels[80:86, 40:80] = (200, 40, 35), (30, 30, 35)
    whole, body = np.zeros((2, 120, 120), bool)
    whole[40:86, 40:80] = body[40:80, 40:80] = True

    assert residue(pixels, whole) < 0.02
    assert residue(pixels, body) > 0.15


@pytest.mark.parametrize("size", [(1, 1), (3, 5), (1, 400), (30, 2000), (2000, 20)])
def test_odd_sizes_give_a_result(size: tuple[int, int]) -> None:
    drawing, _ = draw("odd", ball, (200, 40, 35), size=size)

    assert len(cut([drawing])) == 1
