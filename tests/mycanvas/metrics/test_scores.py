"""The formulas on cases that were worked by hand."""

from __future__ import annotations

import numpy as np
import pytest

from mycanvas.metrics import scores
from mycanvas.models.detectors import Detection

CLASSES = ["dog", "cat", "cat"]
EYE = np.eye(3)


def box(label: str, x: float, score: float = 0.9, size: float = 10) -> Detection:
    return Detection(label=label, box=(x, 0, size, size), score=score)


def pick(*detections: Detection) -> scores.PickedBoxes:
    return scores.pick_boxes(detections, CLASSES, threshold=0.1, certainty=0.3, max_covered=0.5)


def test_k_concepts_of_a_class_get_its_k_most_confident_boxes() -> None:
    found = pick(box("cat", 0, 0.5), box("cat", 20, 0.9), box("dog", 40, 0.2), box("cat", 60, 0.7), box("fox", 80))

    assert [one.box[0] for one in found.expected] == [40, 20, 60]
    assert [one.box[0] for one in found.surplus] == [0]


def test_uncertain_or_covered_detections_are_no_surplus_objects() -> None:
    uncertain, within, doubled = box("dog", 40, 0.29), box("dog", 0, 0.8, 9), box("dog", 61, 0.5)
    found = pick(box("dog", 0), uncertain, within, box("dog", 60, 0.6), doubled, box("dog", 90, 0.1))

    assert [one.box[0] for one in found.surplus] == [60]


def test_similarity_is_the_mean_cosine_over_source_photos() -> None:
    crops, photos = [[1.0, 0.0], [0.0, 1.0]], [[[1.0, 0.0], [0.6, 0.8]], [[-1.0, 0.0], [0.0, 1.0]]]

    assert scores.similarity(crops, photos) == pytest.approx(np.array([[0.8, -0.5], [0.4, 0.5]]))
    assert scores.similarity(crops, photos, "zero") == pytest.approx(np.array([[0.8, 0.0], [0.4, 0.5]]))


ALIKE = 0.8 * EYE + 0.1
"""Boxes of the dog, the cat and the second cat: .9 like their own concept, .1 like the others."""


@pytest.mark.parametrize(
    ("alike", "labels", "extra", "published", "strict", "recall", "duplicates", "leaks", "swaps"),
    [
        pytest.param(ALIKE, CLASSES, 0, 0.9, 0.9, 1, 0, 0, 0, id="all there"),
        pytest.param(ALIKE[:2], ["dog", "cat"], 0, 0.6, 0.6, 2 / 3, 0, 0, 0, id="one missing"),
        pytest.param(ALIKE[:0], [], 0, 0, 0, 0, 0, 0, 0, id="nothing there"),
        pytest.param(ALIKE[[1, 0, 2]], CLASSES, 0, 0.9, (0.1 + 0.9 + 0.1) / 3, 1, 0, 2, 1, id="dog and cat swapped"),
        pytest.param(ALIKE[[0, 2, 1]], CLASSES, 0, 0.9, 0.9, 1, 0, 0, 0, id="which of two cats is more certain"),
        pytest.param(ALIKE[[0, 1, 1]], CLASSES, 0, 0.9, (0.9 + 0.9 + 0.1) / 3, 2 / 3, 1, 0, 0, id="one cat twice"),
        pytest.param(ALIKE[[0, 1, 2, 0]], [*CLASSES, "dog"], 1, 0.9, 2.7 / 4, 1, 1, 0, 0, id="a dog too many"),
        pytest.param(ALIKE[[0, 0, 0]], CLASSES, 0, 0.9, (0.9 + 0.1 + 0.1) / 3, 1 / 3, 2, 2, 0, id="all are the dog"),
    ],
)
def test_hand_worked_pictures(
    alike: scores.Floats,
    labels: list[str],
    extra: int,
    published: float,
    strict: float,
    recall: float,
    duplicates: int,
    leaks: int,
    swaps: int,
) -> None:
    asked = alike[: len(alike) - extra]
    pairs = scores.assign(asked, labels[: len(asked)], CLASSES)
    shown = scores.shows(alike)

    assert scores.cp_clip(asked, labels[: len(asked)], CLASSES) == pytest.approx(published)
    assert scores.identity(asked, pairs, extra) == pytest.approx(strict)
    assert scores.recall(shown, 3) == pytest.approx(recall)
    assert scores.duplicates(shown) == duplicates
    assert scores.leaks(shown, labels, CLASSES) == leaks
    assert scores.swaps(shown, pairs) == swaps


def test_same_class_same_gives_both_cats_the_most_confident_box() -> None:
    alike = np.array([[0.5, 0.1, 0.1], [0.1, 0.9, 0.1], [0.1, 0.1, 0.3]])

    assert scores.cp_clip(alike, CLASSES, CLASSES) == pytest.approx((0.5 + 0.9 + 0.3) / 3)
    assert scores.cp_clip(alike, CLASSES, CLASSES, "same") == pytest.approx((0.5 + 0.9 + 0.9) / 3)
    assert scores.cp_clip(alike[1:], ["cat", "cat"], CLASSES, "same") == pytest.approx((0.0 + 0.9 + 0.9) / 3)


def test_cats_are_assigned_by_the_largest_sum_of_similarities() -> None:
    """Greedily the first would take the second cat (.8) and leave .1; together .7 + .6 is more."""
    alike = np.array([[0.0, 0.7, 0.8], [0.0, 0.1, 0.6]])

    assert scores.assign(alike, ["cat", "cat"], CLASSES) == {0: 1, 1: 2}


def test_agreement_is_the_mean_overlap_within_classes() -> None:
    expected = [(0, 0, 10, 10), (20, 0, 10, 10), (40, 0, 10, 10)]
    found = [box("dog", 0), box("cat", 45), box("cat", 20)]

    assert scores.agreement(expected, CLASSES, found) == pytest.approx((1 + 1 + 1 / 3) / 3)
    assert scores.agreement(expected, CLASSES, found[:1]) == pytest.approx(1 / 3)
    assert scores.agreement(expected, CLASSES, [box("dog", 20)]) == 0
