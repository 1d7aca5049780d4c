"""Class nouns that describe one object are named, with the noun that leaves its looks to the token."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from builder.records import Concept
from builder.sources.concepts import find_concepts
from builder.sources.identity_nouns import head_noun, identity_warning
from tests.conftest import draw_shape


@pytest.mark.parametrize(
    ("noun", "head"),
    [
        ("grey sloth plushie", "plushie"),
        ("fluffy toy duck", "toy duck"),
        ("red coffee mug", "coffee mug"),
        ("fluffy teddy bear", "teddy bear"),
        ("blue toy car", "toy car"),
        ("old alarm clock", "alarm clock"),
        ("red golden retriever", "golden retriever"),
        ("big duck toy", "toy"),
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
        *("wolf plushie", "duck toy", "monster toy", "robot toy", "Pikachu figurine", "tabby cat"),
        *(
            "golden retriever",
            "Golden Retriever",
            "old english sheepdog",
            "russian blue",
            "gray wolf",
            "red wine glass",
        ),
        *("golden retriever puppy", "brown bear plushie"),
    ],
)
def test_compounds_that_name_a_kind_of_object_are_left_alone(noun: str) -> None:
    assert head_noun(noun) is None


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Folders with the names of three concepts, of which two have a noun that describes one object."""
    for index, name in enumerate(("grey sloth plushie", "red_mug", "dog")):
        (tmp_path / name).mkdir()
        draw_shape(tmp_path / name / "0.png", index, 0)
    return tmp_path


def test_concepts_with_such_nouns_are_warned_of_a_line_each(photos: Path, caplog: pytest.LogCaptureFixture) -> None:
    find_concepts(photos)

    (message,) = caplog.messages
    assert message.splitlines()[1:] == [
        '  grey sloth plushie ("grey sloth plushie"): '
        'write class_noun = "plushie" under ["grey sloth plushie"] in concepts.toml',
        '  red_mug ("red mug"): write class_noun = "mug" under [red_mug] in concepts.toml',
    ]
    (photos / "concepts.toml").write_text(
        '["grey sloth plushie"]\nclass_noun = "plushie"\n[red_mug]\nclass_noun = "mug"\n', encoding="utf-8"
    )
    caplog.clear()
    find_concepts(photos)
    assert not caplog.messages


def test_concepts_list_is_named_only_where_it_is_read(photos: Path, caplog: pytest.LogCaptureFixture) -> None:
    nouns = {"red_mug": "red mug", "dog": "blicket"}
    listed = [{"instance_data_dir": name, "class_prompt": f"photo of a {noun}"} for name, noun in nouns.items()]
    (photos / "concepts_list.json").write_text(json.dumps(listed), encoding="utf-8")

    find_concepts(photos)

    height, noun = caplog.messages
    assert height.endswith('; give it a common noun: "class_prompt": "…" in concepts_list.json')
    assert noun.splitlines()[1:] == ['  red_mug ("red mug"): write "class_prompt": "mug" in concepts_list.json']


def test_the_first_of_many_are_listed() -> None:
    many = [
        Concept(name=f"mug{index}", token="<mug>", class_noun="red mug", height_cm=None, photos=())
        for index in range(8)
    ]

    warning = identity_warning(many, None)

    assert warning is not None
    assert [line.split()[0] for line in warning.splitlines()[1:]] == ["mug0", "mug1", "mug2", "mug3", "mug4", "and"]
    assert warning.endswith("\n  and 3 more")
