"""Class nouns that describe one object are named, with the noun that leaves its looks to the token."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from builder.sources.concepts import find_concepts
from builder.sources.identity_nouns import head_noun, identity_warning
from tests.conftest import draw_shape


@pytest.mark.parametrize(
    ("noun", "head"),
    [
        ("grey sloth plushie", "plushie"),
        ("wolf plushie", "plushie"),
        ("Pikachu figurine", "figurine"),
        ("red coffee mug", "coffee mug"),
        ("fluffy teddy bear", "teddy bear"),
        ("blue toy car", "toy car"),
        ("old alarm clock", "alarm clock"),
        ("monster toy", "toy"),
        ("Striped Gizmo", "Gizmo"),
        ("white cup of tea", "cup of tea"),
    ],
)
def test_words_that_describe_one_object_are_left_out(noun: str, head: str) -> None:
    assert head_noun(noun) == head


@pytest.mark.parametrize(
    "noun",
    [
        *(
            "dog",
            "plushie",
            "teddy bear",
            "alarm clock",
            "coffee mug",
            "wine glass",
            "rubber duck",
            "toy car",
            "rc car",
        ),
        *("soft toy", "action figure", "red panda", "polar bear", "wooden spoon", "cup of tea", "pair of shoes"),
        *("stuffed animal", "french bulldog", "fire hydrant", "garden gnome", "plush toy"),
    ],
)
def test_compounds_that_name_a_kind_of_object_are_left_alone(noun: str) -> None:
    assert head_noun(noun) is None


def test_concepts_with_such_nouns_are_warned_of_together(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for index, name in enumerate(("sloth", "mug", "dog")):
        (tmp_path / name).mkdir()
        draw_shape(tmp_path / name / "0.png", index, 0)
    (tmp_path / "concepts.toml").write_text(
        '[sloth]\nclass_noun = "grey sloth plushie"\n[mug]\nclass_noun = "red coffee mug"\n', encoding="utf-8"
    )

    with caplog.at_level(logging.WARNING):
        find_concepts(tmp_path)

    (message,) = caplog.messages
    assert 'the class noun of mug ("red coffee mug"), sloth ("grey sloth plushie") describes this one object' in message
    assert 'write class_noun = "coffee mug" under ["mug"], class_noun = "plushie" under ["sloth"]' in message
    (tmp_path / "concepts.toml").write_text(
        '[sloth]\nclass_noun = "plushie"\n[mug]\nclass_noun = "coffee mug"\n', encoding="utf-8"
    )
    assert identity_warning(find_concepts(tmp_path).concepts) is None
