"""The solver keeps every bound on place and size, and gives the same layout for the same seed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import pairwise

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builder.records import (
    Background,
    BackgroundRef,
    Concept,
    Cutout,
    Layout,
    Placement,
    Rejected,
    Sample,
    Setting,
    Size,
)
from builder.stages.layout import arrange
from builder.stages.layout.base import LayoutConfig, find_flaw, hidden_shares, min_area
from builder.stages.layout.solver import Solver, relative_sizes

SIZE = 320


def cutout(aspect: float = 1.0, *, cut_below: bool = False) -> Cutout:
    """A filled ellipse of the given width / height; cut_below: cut off by its photo at its middle."""
    height = 120
    width = max(1, round(height * aspect))
    rgba = np.zeros((height, width, 4), np.uint8)
    cv2.ellipse(rgba, (width // 2, height // 2), (width // 2, height // 2), 0, 0, 360, (90, 140, 60, 255), -1)
    if cut_below:
        rgba = rgba[: height // 2]
    return Cutout(photo_id="photo", rgba=rgba, quality=1.2, cut_off=cut_below)


def setting(
    cutouts: Sequence[Cutout],
    heights: Sequence[float | None] | None = None,
    *,
    sample_id: str = "sample",
    horizon: float = 0.4,
    ground: float = 0.62,
    size: int = SIZE,
    height: int | None = None,
) -> Setting:
    concepts = tuple(
        Concept(name=f"thing{i}", token=f"<thing{i}>", class_noun="thing", height_cm=height, photos=())
        for i, height in enumerate(heights or [20.0] * len(cutouts))
    )
    sample = Sample(
        id=sample_id,
        concepts=concepts,
        photo_ids=("photo",) * len(cutouts),
        background=BackgroundRef(scene="garden", phrase="in a garden"),
    )
    pixels = np.zeros((height or size, size, 3), np.uint8)
    background = Background(pixels=pixels, horizon=horizon, ground=ground)
    return Setting(sample=sample, cutouts=tuple(cutouts), background=background)


def arranged(given: Setting, seed: int = 0, config: LayoutConfig = LayoutConfig()) -> Layout | Rejected:  # noqa: B008
    (result,) = arrange([given], Solver(), config, seed)
    return result


objects = st.lists(
    st.tuples(st.floats(0.4, 2.0), st.one_of(st.none(), st.floats(5, 200)), st.booleans()), min_size=1, max_size=5
)


@settings(max_examples=80, deadline=None)
@given(objects, st.integers(0, 2**32), st.floats(-0.3, 0.55), st.floats(0.55, 0.95))
def test_every_layout_keeps_every_bound(
    things: list[tuple[float, float | None, bool]], seed: int, horizon: float, ground: float
) -> None:
    cutouts = [cutout(aspect, cut_below=cut) for aspect, _, cut in things]
    given_setting = setting(cutouts, [height for _, height, _ in things], horizon=horizon, ground=ground)

    layout = arranged(given_setting, seed)

    if isinstance(layout, Rejected):
        assert "the least for" in layout.reason or "is hidden" in layout.reason
        return
    for place, (_, _, cut) in zip(layout.placements, things, strict=True):
        assert place.x >= 0
        assert place.y >= 0
        assert place.x + place.width <= SIZE
        bottom = (place.y + place.height) / SIZE
        assert bottom == 1 if cut else ground - 1 / SIZE <= bottom <= 1
        assert place.width * place.height >= min_area(len(things), SIZE, SIZE)
    assert max(hidden_shares(cutouts, layout.placements, Size(SIZE, SIZE))) <= LayoutConfig().max_overlap


@settings(max_examples=80, deadline=None)
@given(objects, st.integers(0, 2**32), st.sampled_from([(640, 256), (384, 256), (256, 384), (256, 640)]))
def test_every_layout_of_another_shape_keeps_every_bound(
    things: list[tuple[float, float | None, bool]], seed: int, size: tuple[int, int]
) -> None:
    width, height = size
    cutouts = [cutout(aspect, cut_below=cut) for aspect, _, cut in things]
    given_setting = setting(cutouts, [tall for _, tall, _ in things], size=width, height=height)

    layout = arranged(given_setting, seed)

    if isinstance(layout, Rejected):
        assert "the least for" in layout.reason or "is hidden" in layout.reason
        return
    for place, item, (_, _, cut) in zip(layout.placements, cutouts, things, strict=True):
        assert min(place.x, place.y) >= 0
        assert place.x + place.width <= width
        bottom = (place.y + place.height) / height
        assert bottom == 1 if cut else 0.62 - 1 / height <= bottom <= 1
        assert place.width * place.height >= min_area(len(things), width, height)
        rows, columns = item.rgba.shape[:2]
        assert place.width == pytest.approx(place.height * columns / rows, abs=1), "stretched"


@pytest.mark.parametrize("size", [(384, 256), (512, 256), (256, 384), (256, 448)])
@pytest.mark.parametrize("count", [2, 4, 5])
def test_most_ordinary_scenes_of_another_shape_can_be_arranged(count: int, size: tuple[int, int]) -> None:
    rng = np.random.default_rng(count)
    results = [
        arranged(
            setting(
                [cutout(a) for a in rng.uniform(0.5, 1.6, count)],
                rng.uniform(10, 40, count).tolist(),
                size=size[0],
                height=size[1],
            ),
            seed,
        )
        for seed in range(20)
    ]

    assert sum(isinstance(result, Layout) for result in results) >= 18


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5])
def test_most_ordinary_scenes_can_be_arranged(count: int) -> None:
    rng = np.random.default_rng(count)
    results = [
        arranged(setting([cutout(a) for a in rng.uniform(0.5, 1.6, count)], rng.uniform(10, 40, count).tolist()), seed)
        for seed in range(40)
    ]

    assert sum(isinstance(result, Layout) for result in results) >= 38


@pytest.mark.parametrize("seed", range(25))
def test_nearer_of_equally_tall_objects_is_lower_and_larger(seed: int) -> None:
    layout = arranged(setting([cutout()] * 4), seed)

    assert isinstance(layout, Layout)
    near_to_far = sorted(layout.placements, key=lambda place: place.depth)
    bottoms = [place.y + place.height for place in near_to_far]
    heights = [place.height for place in near_to_far]
    assert bottoms == sorted(bottoms, reverse=True)
    assert all(nearer >= further - 1 for nearer, further in pairwise(heights))


def test_objects_at_one_depth_do_not_overlap() -> None:
    pairs = 0
    for seed in range(40):
        layout = arranged(setting([cutout()] * 3, size=1024), seed)
        assert isinstance(layout, Layout)
        for left, right in pairwise(sorted(layout.placements, key=lambda place: place.x)):
            if abs(left.y + left.height - right.y - right.height) < 0.03 * 1024:
                pairs += 1
                assert right.x >= left.x + left.width
    assert pairs > 10


def test_size_is_proportional_to_the_distance_below_the_horizon() -> None:
    layouts = [arranged(setting([cutout()] * 3, horizon=0.3, size=1024), seed) for seed in range(20)]

    for layout in layouts:
        assert isinstance(layout, Layout)
        scales = [place.height / ((place.y + place.height) / 1024 - 0.3) for place in layout.placements]
        assert max(scales) / min(scales) < 1.02


def test_half_as_tall_object_is_drawn_half_as_tall_at_its_place() -> None:
    ratios = []
    for seed in range(30):
        layout = arranged(setting([cutout(), cutout()], [40, 20], horizon=0.3), seed)
        assert isinstance(layout, Layout)
        tall, short = (place.height / ((place.y + place.height) / SIZE - 0.3) for place in layout.placements)
        ratios.append(short / tall)

    assert np.median(ratios) == pytest.approx(0.5, abs=0.01)
    assert max(ratios) < 1


def test_layout_depends_on_the_seed() -> None:
    scene = setting([cutout(0.6), cutout(1.4), cutout()])

    assert arranged(scene, 1) == arranged(scene, 1)
    assert arranged(scene, 1) != arranged(scene, 2)


def test_layout_does_not_depend_on_its_batch() -> None:
    batch = [setting([cutout(0.7), cutout(1.2)], sample_id=f"sample{i}") for i in range(4)]
    backend = Solver()

    forwards = list(arrange(batch, backend, LayoutConfig(), 3))
    backwards = list(arrange(batch[::-1], backend, LayoutConfig(), 3))

    assert [r.placements for r in forwards if isinstance(r, Layout)] == [
        r.placements for r in backwards[::-1] if isinstance(r, Layout)
    ]
    assert arranged(batch[2], 3) == forwards[2]


def test_arrangements_vary_in_order_and_depth() -> None:
    layouts = [arranged(setting([cutout()] * 3), seed) for seed in range(30)]

    orders = {tuple(np.argsort([p.x for p in layout.placements])) for layout in layouts if isinstance(layout, Layout)}
    depths = {
        round(max(p.depth for p in layout.placements) - min(p.depth for p in layout.placements), 1)
        for layout in layouts
        if isinstance(layout, Layout)
    }
    assert len(orders) == 6
    assert len(depths) >= 4


@pytest.mark.parametrize("seed", range(10))
def test_object_cut_off_by_its_photo_is_on_the_lower_edge(seed: int) -> None:
    layout = arranged(setting([cutout(), cutout(cut_below=True), cutout()]), seed)

    assert isinstance(layout, Layout)
    assert [place.y + place.height == SIZE for place in layout.placements] == [False, True, False]


def test_smaller_scale_draws_a_smaller_group() -> None:
    whole, part = (arranged(setting([cutout()] * 2), 5, LayoutConfig(scale=scale)) for scale in (1.0, 0.8))

    assert isinstance(whole, Layout)
    assert isinstance(part, Layout)
    assert sum(p.height for p in part.placements) < 0.9 * sum(p.height for p in whole.placements)


def test_scene_that_cannot_fit_is_rejected_with_the_broken_bound() -> None:
    result = arranged(setting([cutout(9.0)] * 5))

    assert isinstance(result, Rejected)
    assert (result.sample_id, result.stage, result.retriable) == ("sample", "layout", False)
    assert "the least for 5 objects is 1600" in result.reason


class Fixed:
    """A backend that always returns the same placements."""

    def __init__(self, *placements: Placement) -> None:
        self._placements = placements

    def place(self, settings: Sequence[Setting], config: LayoutConfig, seed: int) -> Iterable[Layout]:  # noqa: ARG002
        return [Layout(setting=setting, placements=self._placements) for setting in settings]


LEFT = Placement(x=20, y=180, width=100, height=100, depth=0.1)
RIGHT = Placement(x=180, y=190, width=100, height=100, depth=0.0)


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (replace(RIGHT, x=230), "thing1 leaves the canvas of 320x320 pixels: x 230, y 190, width 100, height 100"),
        (replace(RIGHT, y=-1), "thing1 leaves the canvas"),
        (replace(RIGHT, width=60, height=60), "thing1 covers 3600 pixels; the least for 2 objects is 4096"),
        (replace(RIGHT, width=90), "thing1 is drawn 90x100, its cut-out is 120x120"),
        (replace(RIGHT, x=60, y=190), "of thing0 is hidden; layout.max_overlap is 0.25"),
    ],
)
def test_placements_of_any_backend_that_break_a_bound_are_rejected(wrong: Placement, reason: str) -> None:
    (result,) = arrange([setting([cutout(), cutout()])], Fixed(LEFT, wrong), LayoutConfig(), seed=0)

    assert isinstance(result, Rejected)
    assert reason in result.reason


def test_placements_within_the_bounds_are_kept() -> None:
    scene = setting([cutout(), cutout()])

    assert find_flaw(scene, (LEFT, RIGHT), max_overlap=0.0) is None
    assert list(arrange([scene], Fixed(LEFT, RIGHT), LayoutConfig(), seed=0)) == [
        Layout(setting=scene, placements=(LEFT, RIGHT))
    ]


def test_only_the_further_object_counts_as_hidden() -> None:
    near = replace(RIGHT, x=70, y=180)

    hidden = hidden_shares([cutout(), cutout()], (LEFT, near), Size(SIZE, SIZE))

    assert hidden[0] == pytest.approx(0.391, abs=0.05)  # two discs, half a diameter apart
    assert hidden[1] == 0


def test_sizes_keep_their_ratio_within_the_papers_range() -> None:
    assert relative_sizes([30, 20, 15], [1, 1, 1]) == pytest.approx([1, 2 / 3, 0.5])


def test_wider_range_of_sizes_is_compressed_to_the_papers_in_order() -> None:
    assert relative_sizes([100, 30, 1], [1, 1, 1]) == pytest.approx([1, 0.4**0.2614, 0.4], abs=1e-3)


def test_range_that_is_compressed_is_that_of_heights_or_of_longer_sides() -> None:
    dog, sunglasses = relative_sizes([45, 5], [0.7, 2.7])

    assert dog == 1
    assert sunglasses * 2.7 == pytest.approx(0.4)
    assert relative_sizes([30, 10], [2.0, 1.0]) == pytest.approx([1, 0.4])


def test_unknown_height_gives_average_area() -> None:
    known, unknown = relative_sizes([30, None], [1.0, 4.0])

    assert (known, unknown) == pytest.approx((1.0, 0.5))


def test_without_heights_all_objects_have_the_same_area() -> None:
    sizes = relative_sizes([None, None], [0.5, 2.0])

    assert sizes[0] ** 2 * 0.5 == pytest.approx(sizes[1] ** 2 * 2.0)
