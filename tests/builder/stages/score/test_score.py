"""Each classical score on a good scene, and on the same scene with the fault that it measures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest

from builder.records import (
    Background,
    BackgroundRef,
    Candidate,
    Canvas,
    Captioned,
    Concept,
    Cutout,
    IndexMask,
    Layout,
    Placement,
    Rejected,
    Rgb,
    Sample,
    Scene,
    Setting,
)
from builder.stages.score import score
from builder.stages.score.base import ScoreConfig
from builder.stages.score.classical import Classical
from builder.stages.score.perceptual_hash import fingerprint
from mycanvas.schema import SCORES
from tests.builder.stages.score.pictures import SIDE, compose, ellipses, plain, texture

MUG, BALL = (120, 180, 150, 200), (300, 240, 140, 140)
"""x, y, width, height of the two objects of the default scene."""


def scene(image: Rgb, mask: IndexMask, **changes: Any) -> Captioned:
    """A finished scene with this picture and mask; `changes` are fields of its canvas."""
    count = int(mask.max())
    boxes = tuple(
        tuple(map(float, cv2.boundingRect((mask == value).astype(np.uint8)))) for value in range(1, count + 1)
    )
    concepts = tuple(
        Concept(name=f"thing{i}", token=f"<thing{i}>", class_noun="thing", height_cm=None, photos=())
        for i in range(count)
    )
    sample = Sample(
        id="s0",
        concepts=concepts,
        photo_ids=tuple(f"thing{i}/0.jpg" for i in range(count)),
        background=BackgroundRef(scene="room", phrase="in a room"),
    )
    cutouts = tuple(
        Cutout(photo_id=name, rgba=np.zeros((4, 4, 4), np.uint8), quality=1.15) for name in sample.photo_ids
    )
    background = Background(pixels=np.zeros_like(image), horizon=0.4, ground=0.5)
    places = tuple(Placement(x=int(x), y=int(y), width=int(w), height=int(h), depth=0.0) for x, y, w, h in boxes)
    layout = Layout(setting=Setting(sample=sample, cutouts=cutouts, background=background), placements=places)
    canvas = Canvas(layout=layout, layers=(), mask=mask, boxes=boxes, visible=(1.0,) * count)
    return Captioned(scene=Scene(canvas=replace(canvas, **changes), image=image), caption="Things.", prompt="Things.")


def measure(captioned: Captioned) -> Mapping[str, float]:
    (found,) = score([captioned], Classical(), ScoreConfig(), seed=0)
    assert isinstance(found, Candidate)
    return found.scores


@pytest.fixture(scope="module")
def mask() -> IndexMask:
    return ellipses(MUG, BALL)


@pytest.fixture(scope="module")
def good(mask: IndexMask) -> Captioned:
    """Two textured objects, sharp and well lit, apart from each other and from the border."""
    return scene(compose(mask, texture(0, 60, 160), texture(1, 60, 160), texture(2, 60, 160)), mask)


def test_scene_has_the_scores_of_the_schema_that_need_no_model(good: Captioned) -> None:
    assert tuple(measure(good)) == SCORES[:-5]
    assert all(isinstance(value, float) for value in measure(good).values())


def test_good_scene_has_good_scores(good: Captioned) -> None:
    scores = measure(good)

    assert scores["cutout"] == 1.15
    assert scores["visible"] == 1.0
    assert scores["overlap"] == scores["border"] == 0.0
    assert scores["size"] == pytest.approx(np.pi / 4 * 140 * 140 / SIDE**2, rel=0.02)
    assert scores["sharpness"] > 0.5
    assert scores["seam"] < 0.05
    assert scores["exposure"] < 0.05


def test_cutout_is_the_lowest_quality(good: Captioned) -> None:
    setting = good.scene.canvas.layout.setting
    doubtful = replace(setting, cutouts=(setting.cutouts[0], replace(setting.cutouts[1], quality=0.4)))
    canvas = replace(good.scene.canvas, layout=replace(good.scene.canvas.layout, setting=doubtful))

    assert measure(replace(good, scene=replace(good.scene, canvas=canvas)))["cutout"] == 0.4


def test_visible_is_that_of_the_most_hidden_object(good: Captioned) -> None:
    assert measure(scene(good.scene.image, good.scene.canvas.mask, visible=(0.3, 1.0)))["visible"] == 0.3


def test_overlap_is_the_fraction_of_a_box_that_shows_another_object() -> None:
    behind, front = (100, 100, 200, 200), (200, 100, 200, 200)
    mask = np.zeros((SIDE, SIDE), np.uint8)
    for value, (x, y, width, height) in enumerate([behind, front], start=1):
        mask[y : y + height, x : x + width] = value
    boxes = ((100.0, 100.0, 150.0, 200.0), (200.0, 100.0, 200.0, 200.0))

    scores = measure(scene(plain(90), mask, boxes=boxes))

    assert scores["overlap"] == pytest.approx(1 / 3, abs=1e-4)


def test_size_is_the_visible_area_of_the_smallest_object() -> None:
    mask = np.zeros((SIDE, SIDE), np.uint8)
    mask[100:300, 100:300] = 1
    mask[400:420, 100:140] = 2

    assert measure(scene(plain(90), mask))["size"] == round(20 * 40 / SIDE**2, 4)


@pytest.mark.parametrize(("x", "y"), [(0, 200), (SIDE - 100, 200), (200, 0)])
def test_object_along_an_edge_of_the_picture_has_a_high_border(x: int, y: int) -> None:
    mask = np.zeros((SIDE, SIDE), np.uint8)
    mask[y : y + 100, x : x + 100] = 1

    assert measure(scene(plain(90), mask))["border"] == 1.0


def test_object_on_the_lower_edge_has_no_border() -> None:
    mask = np.zeros((SIDE, SIDE), np.uint8)
    mask[SIDE - 100 :, 200:300] = 1

    assert measure(scene(plain(90), mask))["border"] == 0.0


def test_round_object_that_touches_the_edge_has_a_low_border() -> None:
    touching = measure(scene(plain(90), ellipses((0, 100, 200, 200))))["border"]

    assert 0.0 < touching < 0.2


@pytest.mark.parametrize("sigma", [1.5, 3.0])
def test_blurring_one_object_lowers_sharpness(good: Captioned, mask: IndexMask, sigma: float) -> None:
    blurred = cv2.GaussianBlur(texture(2, 60, 160), (0, 0), sigma)
    image = compose(mask, texture(0, 60, 160), texture(1, 60, 160), blurred)

    assert measure(scene(image, mask))["sharpness"] < 0.75 * measure(good)["sharpness"]


def test_sharpness_falls_with_the_factor_of_enlargement(mask: IndexMask) -> None:
    def enlarged(factor: int) -> float:
        detail = cv2.resize(texture(2, 60, 160), None, fx=1 / 2, fy=1 / 2, interpolation=cv2.INTER_AREA)
        small = detail[: SIDE // factor, : SIDE // factor]
        pixels = cv2.resize(small, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR)
        return measure(scene(compose(mask, texture(0, 60, 160), texture(1, 60, 160), pixels), mask))["sharpness"]

    found = [enlarged(factor) for factor in (2, 4, 8)]

    assert found == sorted(found, reverse=True)
    assert found[-1] < 0.5 * found[0]


def test_blurred_background_does_not_lower_sharpness(good: Captioned, mask: IndexMask) -> None:
    soft = cv2.GaussianBlur(texture(0, 60, 160), (0, 0), 4)
    image = compose(mask, soft, texture(1, 60, 160), texture(2, 60, 160))

    assert measure(scene(image, mask))["sharpness"] == pytest.approx(measure(good)["sharpness"], abs=0.02)


def test_object_of_one_colour_counts_as_sharp(mask: IndexMask) -> None:
    assert measure(scene(compose(mask, texture(0, 60, 160), plain(80), plain(120)), mask))["sharpness"] == 1.0


def test_objects_with_hardly_any_detail_count_as_sharp(mask: IndexMask) -> None:
    """A ramp of 20 grey levels over 512 pixels: too little detail to measure blur."""
    ramp = np.repeat(np.linspace(70, 90, SIDE).round().astype(np.uint8)[None, :, None], SIDE, axis=0).repeat(3, axis=2)

    assert measure(scene(compose(mask, texture(0, 60, 160), ramp, ramp), mask))["sharpness"] == 1.0


@pytest.mark.parametrize("colour", [(235, 235, 235), (5, 5, 5), (40, 190, 40)], ids=["bright", "dark", "green"])
def test_two_pixel_halo_raises_seam(good: Captioned, mask: IndexMask, colour: tuple[int, int, int]) -> None:
    image = good.scene.image.copy()
    ball = (mask == 2).astype(np.uint8)
    image[(ball - cv2.erode(ball, np.ones((5, 5), np.uint8))) == 1] = colour

    assert measure(scene(image, mask))["seam"] > 0.7


def test_halo_along_part_of_the_edge_raises_seam_by_that_fraction(mask: IndexMask) -> None:
    image = compose(mask, plain(100), plain(60), plain(140))
    ball = (mask == 2).astype(np.uint8)
    rim = (ball - cv2.erode(ball, np.ones((5, 5), np.uint8))) == 1
    rim[:, : BALL[0] + BALL[2] // 2] = False
    image[rim] = 250

    assert measure(scene(image, mask))["seam"] == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize("ground", [20, 100, 235])
def test_soft_edge_has_no_seam(mask: IndexMask, ground: int) -> None:
    assert measure(scene(compose(mask, plain(ground), plain(60), plain(180)), mask))["seam"] < 0.02


def test_contact_shadow_has_no_seam(mask: IndexMask) -> None:
    ground = plain(150).astype(np.float32)
    shadow = cv2.GaussianBlur((ellipses((120, 340, 150, 60), (300, 350, 140, 50)) > 0).astype(np.float32), (0, 0), 6)
    shaded = (ground * (1 - 0.6 * shadow[..., None])).astype(np.uint8)

    assert measure(scene(compose(mask, shaded, plain(100), plain(120)), mask))["seam"] < 0.05


@pytest.mark.parametrize("shift", [-50, 50])
def test_exposure_is_proportional_to_the_brightness_shift_of_an_object(mask: IndexMask, shift: int) -> None:
    def shifted(by: int) -> float:
        ball = (texture(2, 100, 140).astype(np.int16) + by).astype(np.uint8)
        image = compose(mask, texture(0, 100, 140), texture(1, 100, 140), ball)
        return measure(scene(image, mask))["exposure"]

    assert shifted(0) < 0.02
    assert shifted(shift) == pytest.approx(0.2, abs=0.05)
    assert shifted(2 * shift) > 1.7 * shifted(shift)


def test_exposure_ignores_distant_background(mask: IndexMask) -> None:
    image = compose(mask, plain(120), plain(120), plain(120))
    image[:100] = 250

    assert measure(scene(image, mask))["exposure"] < 0.01


def test_exposure_ignores_other_objects() -> None:
    """A small dark object beside a large bright one.

    The window around the small one shows half background and half the large one; a comparison with both would differ
    more.
    """
    small, large = (200, 200, 60, 60), (262, 100, 240, 300)
    mask = ellipses(small, large)
    image = compose(mask, plain(120), plain(20), plain(220))
    only_small = ellipses(small)
    alone = measure(scene(compose(only_small, plain(120), plain(20)), only_small))["exposure"]

    assert measure(scene(image, mask))["exposure"] == pytest.approx(alone, abs=0.02)


def test_score_is_that_of_the_worst_object(mask: IndexMask) -> None:
    blurred = cv2.GaussianBlur(texture(1, 60, 160), (0, 0), 3)
    first = scene(compose(mask, texture(0, 60, 160), blurred, texture(1, 60, 160)), mask)
    second = scene(compose(mask, texture(0, 60, 160), texture(1, 60, 160), blurred), mask)

    assert measure(first)["sharpness"] == pytest.approx(measure(second)["sharpness"], abs=0.03)


def test_scene_with_an_invisible_object_is_rejected_and_others_are_kept(good: Captioned, mask: IndexMask) -> None:
    hidden = scene(good.scene.image, mask, boxes=(good.scene.canvas.boxes[0], (0.0, 0.0, 0.0, 0.0)))

    before, rejected, after = score([good, hidden, good], Classical(), ScoreConfig(), seed=0)

    assert isinstance(before, Candidate)
    assert isinstance(after, Candidate)
    assert rejected == Rejected(
        sample_id="s0", stage="score", reason="thing1 shows nowhere in the scene: nothing to measure"
    )


@pytest.mark.parametrize("box", [(5, 5, 1, 1), (0, 0, SIDE, SIDE), (509, 0, 3, SIDE), (40, 60, 3, 300)])
def test_smallest_largest_and_thinnest_objects_can_be_measured(box: tuple[int, int, int, int]) -> None:
    x, y, width, height = box
    mask = np.zeros((SIDE, SIDE), np.uint8)
    mask[y : y + height, x : x + width] = 1

    scores = measure(scene(texture(0, 60, 160), mask))

    assert all(0.0 <= value <= 1.2 for value in scores.values())


@pytest.mark.parametrize("side", [129, 130, 131])
def test_odd_resolutions_can_be_measured(good: Captioned, mask: IndexMask, side: int) -> None:
    image = cv2.resize(good.scene.image, (side, side), interpolation=cv2.INTER_AREA)
    small = cv2.resize(mask, (side, side), interpolation=cv2.INTER_NEAREST)

    assert measure(scene(image, small))["border"] == 0.0


def test_scores_do_not_depend_on_batch_or_threads(good: Captioned) -> None:
    threads = cv2.getNumThreads()
    try:
        cv2.setNumThreads(1)
        alone = measure(good)
        cv2.setNumThreads(4)
        batch = list(score([good] * 3, Classical(), ScoreConfig(), seed=1))
    finally:
        cv2.setNumThreads(threads)

    assert [found.scores for found in batch if isinstance(found, Candidate)] == [alone] * 3


class Fixed:
    """A scorer that returns given scores."""

    def __init__(self, *scores: Mapping[str, float] | Rejected) -> None:
        self.scores = scores

    def score(self, batch: Sequence[Captioned], seed: int) -> Iterable[Mapping[str, float] | Rejected]:  # noqa: ARG002
        return self.scores


def test_candidate_has_scene_scores_and_fingerprint(good: Captioned) -> None:
    (candidate,) = score([good], Fixed({"seam": 0.25}), ScoreConfig(), seed=0)

    assert candidate == Candidate(captioned=good, scores={"seam": 0.25}, fingerprint=fingerprint(good.scene.image))


def test_scorer_that_skips_a_scene_is_an_error(good: Captioned) -> None:
    with pytest.raises(ValueError, match="shorter"):
        list(score([good, good], Fixed({"seam": 0.25}), ScoreConfig(), seed=0))
