"""Geometry of boxes, compared with counts of pixels."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from numpy.typing import NDArray

from mycanvas.boxes import covered, iou, match, suppress, within

SIDE = 24


def random_boxes(seed: int, count: int) -> NDArray[np.int64]:
    draw = np.random.default_rng(seed)
    corner = draw.integers(0, SIDE - 2, (count, 2))
    return np.hstack([corner, draw.integers(1, SIDE - corner + 1)])


def drawn(box: NDArray[np.int64]) -> NDArray[np.bool_]:
    x, y, width, height = (int(value) for value in box)
    canvas = np.zeros((SIDE, SIDE), np.bool_)
    canvas[y : y + height, x : x + width] = True
    return canvas


@pytest.mark.parametrize("seed", range(5))
def test_iou_equals_that_of_the_boxes_pixels(seed: int) -> None:
    first, second = random_boxes(seed, 6), random_boxes(seed + 50, 4)
    counted = [[(drawn(a) & drawn(b)).sum() / (drawn(a) | drawn(b)).sum() for b in second] for a in first]

    assert np.allclose(iou(first, second), counted, atol=1e-12)


def test_iou_without_boxes_is_empty_and_zero_for_boxes_without_area() -> None:
    assert iou([], [(0, 0, 1, 1)]).shape == (0, 1)
    assert iou([(3, 3, 0, 0)], [(3, 3, 0, 0)]).tolist() == [[0.0]]


@pytest.mark.parametrize("seed", range(5))
def test_covered_fraction_equals_that_of_the_pixels(seed: int) -> None:
    box, *others = random_boxes(seed, 5)
    union = np.any([drawn(other) for other in others], axis=0)

    share = covered(tuple(map(float, box)), [tuple(map(float, other)) for other in others])

    assert share == pytest.approx((drawn(box) & union).sum() / drawn(box).sum(), abs=1e-12)


def test_covered_fraction_is_never_above_one() -> None:
    boxes = np.random.default_rng(0).uniform(0.1, 30, (200, 4)).tolist()

    shares = [covered((x, y, w, h), [(x, y, w, h), (x, y, w / 3, h)]) for x, y, w, h in boxes]

    assert max(shares) == 1.0
    assert min(shares) == pytest.approx(1.0)


@pytest.mark.parametrize(("box", "others"), [((1, 1, 5, 5), []), ((1, 1, 0, 5), [(0, 0, 9, 9)])])
def test_box_without_area_or_without_others_is_not_covered(
    box: tuple[float, ...], others: list[tuple[float, ...]]
) -> None:
    assert covered(box, others) == 0.0  # type: ignore[arg-type]


@pytest.mark.parametrize("seed", range(5))
def test_suppress_drops_a_box_only_if_a_better_kept_one_overlaps_it(seed: int) -> None:
    boxes, scores = random_boxes(seed, 40), np.random.default_rng(seed).integers(0, 20, 40) / 20
    kept: list[int] = []
    for index in sorted(range(40), key=lambda i: (-scores[i], i)):
        if all(iou(boxes[[index]], boxes[[other]]).item() <= 0.3 for other in kept):
            kept.append(index)

    assert suppress(boxes, scores, 0.3) == kept
    assert 1 < len(kept) < 40


def test_within_clips_boxes_to_the_picture() -> None:
    boxes = within([(-5, -5, 10, 20), (90, 70, 30, 30), (2, 3, 4, 5), (200, 200, 5, 5)], 100, 80)

    assert boxes.tolist() == [[0, 0, 5, 15], [90, 70, 10, 10], [2, 3, 4, 5], [100, 80, 0, 0]]


@pytest.mark.parametrize("seed", range(20))
def test_match_finds_the_most_pairs_with_the_highest_iou(seed: int) -> None:
    expected, found = random_boxes(seed, 4), random_boxes(seed + 100, 5)
    near = iou(expected, found)
    kept = [[near[i, j] for i, j in enumerate(order[:4]) if near[i, j] >= 0.2] for order in permutations(range(5))]
    most = max(len(values) for values in kept)
    best = max(sum(values) for values in kept if len(values) == most)

    pairs = match(expected, found, 0.2)

    assert len(pairs) == most
    assert sum(near[i, j] for i, j in pairs) == pytest.approx(best)
    assert len({j for _, j in pairs}) == most


def test_match_prefers_two_pairs_over_one_closer_pair() -> None:
    # A greedy match would give the second, closer expected box the only found box that the first overlaps enough.
    expected = [(0, 0, 10, 10), (4, 0, 10, 10)]
    found = [(3, 0, 10, 10), (7, 0, 10, 10)]

    assert match(expected, found, 0.5) == [(0, 0), (1, 1)]


@pytest.mark.parametrize(("expected", "found"), [([], []), ([(0, 0, 1, 1)], []), ([], [(0, 0, 1, 1)])])
def test_match_without_boxes_returns_no_pairs(expected: list[tuple[int, ...]], found: list[tuple[int, ...]]) -> None:
    assert match(expected, found, 0.5) == []
