from __future__ import annotations

import pytest

from builder.pipeline.changes import SHOWN, changes, refused


@pytest.mark.parametrize(
    ("name", "was", "now", "expected"),
    [
        ("seed", 0, 7, "  seed  was 0, now 7"),
        ("samples_per_composition", None, 3, "  samples_per_composition  was not given, now 3"),
        ("concept cup", ["<cup>", "cup", None], ["<cup>", "mug", 9.5], 'class_noun was "cup", now "mug", '
         "height_cm was not given, now 9.5"),
        ("concept cup", None, ["<cup>", "cup", None], "  concepts  were not given, now cup"),
        ("photo cup/1.png", "234ae", None, "  photo cup/1.png  was removed"),
        ("photo cup/1.png", None, "234ae", "  photo cup/1.png  was added"),
        ("photo cup/1.png", "234ae", "99f00", "  photo cup/1.png  has changed"),
        ("photo a\nb/1.png", None, "234ae", "  photo a\\nb/1.png  was added"),
        ("background yard/0.png", ["a", "in a yard", None, 0.5], ["b", "in a yard", None, 0.6],
         "has changed, ground was 0.5, now 0.6"),
        ("background yard 0", "in a yard", None, "was removed"),
        ("model a/b", "1", "2", 'revision was "1", now "2"'),
    ],
)  # fmt: skip
def test_change_is_reported_with_the_name_of_its_setting(name: str, was: object, now: object, expected: str) -> None:
    (line,) = changes({name: was, "same": 1}, {name: now, "same": 1})

    assert line.endswith(expected)


def test_equal_values_are_not_reported() -> None:
    assert changes({"seed": 0, "license": None}, {"seed": 0}) == []


def test_a_long_value_is_cut() -> None:
    (line,) = changes({"compositions": []}, {"compositions": [["ball", "ring"]] * 20})

    assert line.endswith("…")
    assert len(line) < 130


def test_other_concepts_are_named_first_and_without_their_photos() -> None:
    shared = {"concept mug": ["<mug>", "mug", None], "photo mug/0.png": "1"}
    before = shared | {
        "concept dog6": ["<dog6>", "dog", None],
        "photo dog6/0.png": "2",
        "background yard 0": "in a yard",
    }
    now = shared | {"concept cat": ["<cat>", "cat", None], "photo cat/0.png": "3", "photo mug/0.png": "4", "seed": 1}

    assert changes(before, now) == [
        "  concepts           were dog6, mug, now cat, mug",
        "  seed               was not given, now 1",
        "  background yard 0  was removed",
        "  photo mug/0.png    has changed",
    ]


def test_changed_photos_of_the_same_concepts_are_listed() -> None:
    concept = {"concept mug": ["<mug>", "mug", None]}

    assert changes({**concept, "photo mug/0.png": "1"}, {**concept, "photo mug/1.png": "1"}) == [
        "  photo mug/0.png  was removed",
        "  photo mug/1.png  was added",
    ]


def test_settings_of_a_replaced_backend_are_not_listed() -> None:
    before = {"segment.backend": "tricut", "segment.min_side": 64, "repaint.blend.reach": 1}
    now = {
        "segment.backend": "rembg",
        "segment.min_side": 32,
        "segment.rembg.rounds": 3,
        "dtype": "auto",
        "repaint.blend.reach": 2,
    }

    assert changes(before, now) == [
        "  repaint.blend.reach  was 1, now 2",
        '  segment.backend      was "tricut", now "rembg"',
        "  segment.min_side     was 64, now 32",
    ]


def test_many_changes_are_counted() -> None:
    lines = changes({}, {f"photo mug/{index:02}.png": "1" for index in range(SHOWN + 3)})

    assert len(lines) == SHOWN + 1
    assert lines[-1] == "  … and 3 more"


def test_additions_alone_are_not_refused() -> None:
    before = {"concept mug": ["<mug>", "mug", None], "photo mug/0.png": "1", "samples": 3, "seed": 0}
    before |= {"compositions": [["mug"]]}
    added = {"concept cat": ["<cat>", "cat", None], "photo cat/0.png": "3", "photo mug/1.png": "4"}
    now = before | added | {"background yard/1.png": ["5", "in a yard", None, None], "samples": 4}
    now |= {"compositions": [["cat", "mug"], ["mug"]]}

    assert refused(before, now) == []
    assert refused(before, now | {"samples": 2, "seed": 1}) == [
        "  samples  was 3, now 2",
        "  seed     was 0, now 1",
    ]
    assert refused(now, before)[0] == "  concepts               were cat, mug, now mug"
