from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import pytest

from builder.pipeline.cutout_decisions import choose_cutouts, network_advice
from builder.pipeline.siblings import compare_siblings
from builder.pipeline.source_photos import (
    USE_ANYWAY,
    CutoutUse,
    Sources,
    format_quality,
    summary_lines,
)
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
    assert 'concept "cup" is left out: its best cut-out, of cup/0.jpg, has quality 0.799, below' in low
    assert low.endswith("; to use it all the same, add --keep-best")
    assert none == 'concept "dog" is left out: none of its photos gave a cut-out (no object found)'


def test_left_out_concept_is_reported_with_every_reason_once(caplog: pytest.LogCaptureFixture) -> None:
    cutouts = [cutout("dog", number, None) for number in range(3)]
    cutouts[1] = replace(cutouts[1], reason="the object is too small")

    choose_cutouts(cutouts, 0.8, keep_best=False)

    assert caplog.messages == [
        'concept "dog" is left out: none of its photos gave a cut-out (no object found; the object is too small)'
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


def test_mask_decides_before_concepts_toml_and_that_before_the_quality() -> None:
    cutouts = [
        replace(cutout("cup", 0, 1.0), masked=True, choice="leave_out"),
        replace(cutout("cup", 1, 0.9), choice="leave_out"),
        replace(cutout("cup", 2, 0.3), choice="use"),
        cutout("cup", 3, 0.3),
        cutout("cup", 4, 0.9),
    ]

    chosen = choose_cutouts(cutouts, 0.8, keep_best=False)

    assert [(each.used, each.why) for each in chosen] == [
        (True, "the mask beside the photo"),
        (False, "leave_out in concepts.toml"),
        (True, "use in concepts.toml"),
        (False, "quality 0.300, below 0.8"),
        (True, "quality 0.900, at least 0.8"),
    ]
    assert summary_lines(chosen) == [
        "cup  3 of 5 photos used, 0.jpg by the mask beside the photo, 2.jpg by use in concepts.toml; "
        "not 1.jpg (leave_out in concepts.toml), 3.jpg 0.300 < 0.8",
        "3 of 5 photos used",
        USE_ANYWAY,
    ]


def test_thin_parts_that_most_photos_lack_lower_the_quality() -> None:
    shares = (0.0, 0.01, 0.0, 0.1)
    cups = [replace(cutout("cup", number, 0.9), thin=thin) for number, thin in enumerate(shares)]
    glasses = [replace(cutout("glasses", number, 0.9), thin=0.4) for number in range(3)]
    lone = replace(cutout("dog", 0, 0.9), thin=0.3)
    masked = replace(cutout("cup", 9, 1.0), masked=True)

    compared = compare_siblings([*cups, *glasses, lone, masked], {}, 0.0)
    chosen = choose_cutouts(compared, 0.8, keep_best=False)

    assert [each.key for each in chosen if not each.used] == ["cup3"]
    assert chosen[3].quality == pytest.approx(0.9 - 3 * (0.1 - 0.005))
    assert chosen[3].why == "quality 0.615, below 0.8 (thin parts -0.29)"
    assert (
        summary_lines(chosen)[0]
        == "cup      4 of 5 photos used, 9.jpg by the mask beside the photo; not 3.jpg 0.615 < 0.8 (thin parts -0.29)"
    )


def test_photo_without_a_cutout_cannot_be_used_by_concepts_toml(caplog: pytest.LogCaptureFixture) -> None:
    cutouts = [replace(cutout("cup", 0, None), choice="use"), cutout("cup", 1, 0.9)]

    chosen = choose_cutouts(cutouts, 0.8, keep_best=False)

    assert (chosen[0].used, chosen[0].why) == (False, "no object found")
    assert caplog.messages == ["cup/0.jpg cannot be used, as concepts.toml has it: no object found"]


def test_keep_best_passes_over_photos_that_concepts_toml_leaves_out(caplog: pytest.LogCaptureFixture) -> None:
    cutouts = [
        replace(cutout("cup", 0, 0.7), choice="leave_out"),
        cutout("cup", 1, 0.5),
        replace(cutout("dog", 0, 0.9), choice="leave_out"),
    ]

    chosen = choose_cutouts(cutouts, 0.8, keep_best=True)

    assert [each.key for each in chosen if each.used] == ["cup1"]
    assert chosen[1].why == "the best of its concept; quality 0.500, below 0.8"
    assert caplog.messages == [
        'concept "dog" is left out: none of its photos gave a cut-out (leave_out in concepts.toml)'
    ]


def test_a_network_is_advised_where_a_third_of_the_photos_is_refused() -> None:
    refused = [cutout("cup", 0, 0.5), cutout("cup", 1, None)]
    left_out = [replace(cutout("cup", index, 0.9), choice="leave_out") for index in range(10, 20)]
    good = [cutout("dog", index, 0.9) for index in range(5)]

    few, many = (
        network_advice(choose_cutouts([*refused, *left_out, *good[:count]], 0.8, keep_best=False)) for count in (5, 4)
    )

    assert few is None
    assert many is not None
    assert many.startswith("2 of 6 photos gave no cut-out that can be used; ")
    assert "pip install 'mycanvas[photo]', then build with --profile photo" in many
