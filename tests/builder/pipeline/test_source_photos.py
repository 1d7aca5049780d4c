from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import pytest

from builder.pipeline.source_photos import CutoutUse, Sources, choose_cutouts, format_quality, summary_lines
from mycanvas.io.checked import read_checked, write_checked


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


def used(cutouts: list[CutoutUse], *, keep_best: bool = False) -> list[str]:
    """The keys of the cut-outs that scenes may show."""
    return [each.key for each in choose_cutouts(cutouts, 0.8, keep_best=keep_best) if each.used]


def test_cutouts_of_sufficient_quality_are_used() -> None:
    cutouts = [cutout("cup", 0, 0.8), cutout("cup", 1, 0.79), cutout("cup", 2, None), cutout("dog", 0, 0.9)]

    assert used(cutouts) == ["cup0", "dog0"]


def test_keep_best_uses_the_best_cutout_only_of_a_concept_without_a_sufficient_one() -> None:
    cutouts = [cutout("cup", 0, 0.5), cutout("cup", 1, 0.6), cutout("dog", 0, 0.9), cutout("dog", 1, 0.7)]

    assert used(cutouts, keep_best=True) == ["cup1", "dog0"]


def test_concept_without_a_usable_cutout_is_reported_with_the_reason(caplog: pytest.LogCaptureFixture) -> None:
    assert used([cutout("cup", 0, 0.7999), cutout("dog", 0, None)]) == []

    low, none = caplog.messages
    assert "concept cup is left out: its best cut-out, of cup/0.jpg, has quality 0.799, below" in low
    assert low.endswith("; to use it all the same, build again with --keep-best and another --output")
    assert none == "concept dog is left out: none of its photos gave a cut-out (no object found)"


def test_left_out_concept_is_reported_with_every_reason_once(caplog: pytest.LogCaptureFixture) -> None:
    cutouts = [cutout("dog", number, None) for number in range(3)]
    cutouts[1] = replace(cutouts[1], reason="the object is too small")

    choose_cutouts(cutouts, 0.8, keep_best=False)

    assert caplog.messages == [
        "concept dog is left out: none of its photos gave a cut-out (no object found; the object is too small)"
    ]


def test_photos_that_cannot_be_read_are_counted_with_their_concept() -> None:
    unreadable = {"cup/1.jpg": "damaged", "owl/0.jpg": "not a picture", "owl": "its 1 picture cannot be used"}
    sources = Sources(photos=(replace(cutout("cup", 0, 0.9), used=True),), backgrounds=(), unreadable=unreadable)

    assert summary_lines(sources.every_photo()) == [
        "cup  1 of 2 photos used; not 1.jpg (damaged)",
        "owl  0 of 1 photo used; not 0.jpg (not a picture)",
        "1 of 3 photos used",
    ]


def test_sources_are_read_as_they_were_written(tmp_path: Path) -> None:
    sources = Sources(
        photos=(cutout("cup", 0, 0.9),), backgrounds=(), unreadable={"a/0.jpg": "x"}, unreadable_backgrounds={"b": "y"}
    )

    write_checked(tmp_path / "sources.json", asdict(sources))

    assert read_checked(tmp_path / "sources.json", Sources) == sources


def test_quality_is_rounded_down() -> None:
    assert format_quality(0.79999) == "0.799"
