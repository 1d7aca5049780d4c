"""Which detections count, at the exact bounds of confidence and cover, and which boxes of one class CP-CLIP uses."""

from __future__ import annotations

import numpy as np
import pytest

from mycanvas.metrics.scores import cp_clip, pick_boxes
from mycanvas.models.detectors import Detection

CAT = Detection(label="cat", box=(0, 0, 10, 10), score=0.9)


def found(*more: Detection) -> tuple[int, int]:
    """How many boxes of one cat are expected, and how many are surplus."""
    boxes = pick_boxes([CAT, *more], ["cat"], threshold=0.25, certainty=0.5, max_covered=0.5)
    return len(boxes.expected), len(boxes.surplus)


@pytest.mark.parametrize(("score", "asked"), [(0.25, 0), (0.26, 1)])
def test_confidence_must_exceed_the_threshold(score: float, asked: int) -> None:
    only = Detection(label="cat", box=CAT.box, score=score)

    assert len(pick_boxes([only], ["cat"], threshold=0.25, certainty=0.5, max_covered=0.5).expected) == asked


@pytest.mark.parametrize(("score", "extra"), [(0.49, 0), (0.5, 1)])
def test_extra_box_needs_at_least_the_certainty(score: float, extra: int) -> None:
    assert found(Detection(label="cat", box=(50, 0, 10, 10), score=score)) == (1, extra)


@pytest.mark.parametrize(("left", "extra"), [(4, 0), (5, 1)])
def test_extra_box_may_be_covered_up_to_the_share(left: int, extra: int) -> None:
    assert found(Detection(label="cat", box=(left, 0, 10, 10), score=0.8)) == (1, extra)


def test_same_class_uses_the_most_certain_box_and_not_the_most_alike() -> None:
    """Boxes of a class come with the most certain first."""
    alike = np.array([[0.3, 0.1], [0.9, 0.8]])

    assert cp_clip(alike, ["cat", "cat"], ["cat", "cat"], "same") == pytest.approx(0.3)
    assert cp_clip(alike, ["cat", "cat"], ["cat", "cat"], "distinct") == pytest.approx(0.6)
