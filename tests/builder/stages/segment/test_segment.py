"""The segment stage with given mattes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from builder.records import Cutout, Photo, Rejected
from builder.stages.segment import READY_QUALITY, segment
from tests.builder.stages.segment.drawings import (
    CONFIG,
    FixedMattes,
    draw,
    low_ball,
    photo,
    square,
)


def test_rejected_photo_does_not_affect_others() -> None:
    nothing = np.zeros((200, 200), np.float32)
    first, wall, last = segment(
        [photo("first"), photo("wall"), photo("last")], FixedMattes(square(), nothing, square()), CONFIG, 512
    )

    assert wall == Rejected(sample_id="wall", stage="segment", reason="no object found")
    assert isinstance(first, Cutout)
    assert isinstance(last, Cutout)
    assert (first.photo_id, last.photo_id) == ("first", "last")


@pytest.mark.parametrize(
    ("alpha", "reason"),
    [
        (np.ones((200, 200), np.float32), "the object fills 100% of the photo, expected at most 95%"),
        (square(half=10), "the object is 20 px long, expected at least 64; see segment.min_side"),
    ],
)
def test_unusable_object_is_rejected_with_actual_and_expected_values(alpha: np.ndarray, reason: str) -> None:
    (result,) = segment([photo("x")], FixedMattes(alpha), CONFIG, 512)

    assert isinstance(result, Rejected)
    assert result.reason == reason


@pytest.mark.parametrize("colour", [(255, 255, 255), (0, 0, 0), (120, 130, 140)])
def test_photo_of_one_colour_is_rejected_wherever_the_segmenter_finds_an_object(colour: tuple[int, int, int]) -> None:
    noise = np.random.default_rng(0).integers(0, 6, (200, 200, 3))  # as JPEG leaves it
    blank = Photo(id="blank", pixels=np.clip(noise + colour, 0, 255).astype(np.uint8))

    (result,) = segment([blank], FixedMattes(square()), CONFIG, 512)

    assert isinstance(result, Rejected)
    assert result.reason == "no object found: the photo has one colour"


def test_ready_cut_out_keeps_its_pixels_and_is_not_segmented() -> None:
    alpha = square() * np.float32(0.8)
    ready = photo("ready", alpha=alpha)

    (result,) = segment([ready], FixedMattes(), CONFIG, 512)

    assert isinstance(result, Cutout)
    assert result.quality == READY_QUALITY
    assert np.array_equal(result.mask, alpha >= 0.5)
    visible = result.rgba[..., 3] > 0
    assert visible.sum() == 100 * 100
    assert (result.rgba[visible] == [128, 128, 128, 204]).all()


def test_ready_cut_out_that_fills_its_frame_is_not_cut_off() -> None:
    (result,) = segment([photo("cropped", alpha=np.ones((200, 200), np.float32))], FixedMattes(), CONFIG, 512)

    assert isinstance(result, Cutout)
    assert not result.cut_off


def test_ready_and_segmented_cut_outs_keep_their_order() -> None:
    found = FixedMattes(square(half=40), square(half=60))
    results = segment([photo("a"), photo("ready", alpha=square()), photo("b")], found, CONFIG, 512)

    assert [(r.photo_id, int(r.mask.sum())) for r in results if isinstance(r, Cutout)] == [
        ("a", 80 * 80),
        ("ready", 100 * 100),
        ("b", 120 * 120),
    ]


def test_object_cut_off_by_the_frame_has_lower_quality() -> None:
    whole, low, high = square(half=50), np.roll(square(half=50), 50, axis=0), np.roll(square(half=50), -50, axis=0)
    results = segment([photo("whole"), photo("low"), photo("high")], FixedMattes(whole, low, high), CONFIG, 512)

    qualities = {result.photo_id: result.quality for result in results if isinstance(result, Cutout)}
    assert qualities["high"] < qualities["low"] < qualities["whole"] == 0.9


@pytest.mark.parametrize("bar", [0, 30])
def test_object_cut_off_below_has_a_hard_lower_edge(bar: int) -> None:
    drawing, truth = draw("low ball", low_ball, (200, 40, 35))
    barred = np.pad(drawing.pixels, ((bar, bar), (0, 0), (0, 0)))
    alpha = truth.astype(np.float32)
    alpha = alpha[1:-1] if bar else alpha  # a bar's blurred edge goes with it

    (result,) = segment([Photo(id="low", pixels=barred)], FixedMattes(alpha), CONFIG, 512)

    assert isinstance(result, Cutout)
    assert result.cut_off
    opacity = result.rgba[..., 3]
    assert np.count_nonzero(opacity[-1] == 255) > 60
    assert np.concatenate([opacity[0], opacity[:, 0], opacity[:, -1]]).max() == 0


def test_photo_with_a_mask_is_cut_out_by_it_and_not_segmented() -> None:
    masked = replace(photo("masked"), mask=square(half=40))
    results = segment([photo("a"), masked], FixedMattes(square(half=60)), CONFIG, 512)

    found, by_mask = (result for result in results if isinstance(result, Cutout))
    assert int(found.mask.sum()) == 120 * 120
    assert np.array_equal(by_mask.mask, square(half=40) >= 0.5)
    assert by_mask.quality == READY_QUALITY
    edge = by_mask.rgba[..., 3]
    assert ((edge > 0) & (edge < 255)).sum() > 100, "its edge is softened, as the colours there are mixed"


def test_mask_may_fill_the_photo_and_end_at_its_frame() -> None:
    (result,) = segment([replace(photo("close"), mask=np.ones((200, 200), np.float32))], FixedMattes(), CONFIG, 512)

    assert isinstance(result, Cutout)
    assert result.cut_off
