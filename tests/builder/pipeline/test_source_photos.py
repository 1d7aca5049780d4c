from __future__ import annotations

import pytest

from builder.pipeline.source_photos import CutoutUse, choose_cutouts, format_quality
from builder.stages.segment.base import SegmentConfig


def cutout(concept: str, number: int, quality: float | None) -> CutoutUse:
    """The cut-out of a photo of a concept; it is not used yet."""
    return CutoutUse(
        id=f"{concept}/{number}.jpg",
        concept=concept,
        token=f"<{concept}>",
        class_noun=concept,
        height_cm=None,
        attribution=None,
        key=f"{concept}{number}",
        quality=quality,
        reason=None if quality is not None else "no object found",
    )


def used(cutouts: list[CutoutUse], config: SegmentConfig) -> list[str]:
    """The keys of the cut-outs that scenes may show."""
    return [each.key for each in choose_cutouts(cutouts, config) if each.used]


def test_cutouts_of_sufficient_quality_are_used() -> None:
    cutouts = [cutout("cup", 0, 0.8), cutout("cup", 1, 0.79), cutout("cup", 2, None), cutout("dog", 0, 0.9)]

    assert used(cutouts, SegmentConfig(min_quality=0.8)) == ["cup0", "dog0"]


def test_keep_best_uses_the_best_cutout_only_of_a_concept_without_a_sufficient_one() -> None:
    cutouts = [cutout("cup", 0, 0.5), cutout("cup", 1, 0.6), cutout("dog", 0, 0.9), cutout("dog", 1, 0.7)]

    assert used(cutouts, SegmentConfig(min_quality=0.8, keep_best=True)) == ["cup1", "dog0"]


def test_concept_without_a_usable_cutout_is_reported_with_the_reason(caplog: pytest.LogCaptureFixture) -> None:
    assert used([cutout("cup", 0, 0.7999), cutout("dog", 0, None)], SegmentConfig(min_quality=0.8)) == []

    low, none = caplog.messages
    assert "concept cup is left out: its best cut-out, of cup/0.jpg, has quality 0.799, below" in low
    assert none == "concept dog is left out: no object was found in any of its photos"


def test_quality_is_rounded_down() -> None:
    assert format_quality(0.79999) == "0.799"
