"""Typical heights of nouns, and their use where concepts.toml has none."""

from __future__ import annotations

import re
import tomllib
from importlib import resources
from pathlib import Path

import pytest

from builder.sources.concepts import find_concepts
from builder.sources.heights import guess_height
from tests.builder.sources.concept_folders import described, picture

COCO = """person, bicycle, car, motorcycle, airplane, bus, train, truck, boat, traffic light, fire hydrant, stop sign,
parking meter, bench, bird, cat, dog, horse, sheep, cow, elephant, bear, zebra, giraffe, backpack, umbrella,
handbag, tie, suitcase, frisbee, skis, snowboard, sports ball, kite, baseball bat, baseball glove, skateboard,
surfboard, tennis racket, bottle, wine glass, cup, fork, knife, spoon, bowl, banana, apple, sandwich, orange,
broccoli, carrot, hot dog, pizza, donut, cake, chair, couch, potted plant, bed, dining table, toilet, tv,
laptop, mouse, remote, keyboard, cell phone, microwave, oven, toaster, sink, refrigerator, book, clock, vase,
scissors, teddy bear, hair drier, toothbrush"""
"""The 80 categories of COCO's instances."""

MEASURED = {
    "teddy bear": 30, "can": 12, "candle": 10, "cat": 35, "clock": 15, "sneaker": 15, "dog": 35, "rubber duck": 10,
    "monster toy": 15, "toy car": 15, "robot toy": 20, "teapot": 15, "vase": 30, "wolf plushie": 25,
}  # fmt: skip
"""Nouns and rough heights of the objects of DreamBooth's photos."""


@pytest.fixture(scope="module")
def table() -> dict[str, dict[str, str]]:
    text = (resources.files("builder.sources") / "heights.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


@pytest.mark.parametrize(
    ("noun", "same"),
    [
        ("mugs", "mug"),
        ("knives", "knife"),
        ("mice", "mouse"),
        ("Teapot", "teapot"),
        ("red coffee mug", "mug"),
        ("my grandmother's teapot", "teapot"),
        ("T-shirt", "t shirt"),
        ("tea pot", "teapot"),
        ("hairdryer", "hair dryer"),
        ("teddybears", "teddy bear"),
        ("Rubik’s cube", "rubik's cube"),
        ("cup of tea", "cup"),
        ("bowl of berries", "bowl"),
        ("dog with sunglasses", "dog"),
        ("pair of old shoes", "shoe"),
        ("fancy pink sunglasses", "glasses"),
        ("wolf plushies", "plushie"),
        ("stuffed elephant", "plushie"),
        ("plush mouse", "plushie"),
        ("plush blicket", "plushie"),
        ("toy dog", "toy"),
        ("Toy Elephant", "toy"),
        ("rc truck", "toy"),
        ("toy blicket", "toy"),
        ("blicket toys", "toy"),
        ("red toy cars", "toy car"),
        ("black toy poodle", "toy poodle"),
    ],
)
def test_noun_is_as_tall_as_its_singular_or_head_or_as_a_toy(noun: str, same: str) -> None:
    assert guess_height(noun) == guess_height(same) is not None


@pytest.mark.parametrize(
    ("smaller", "taller"),
    [
        ("sunglasses", "dog"),
        ("glasses", "glass"),
        ("hot dog", "dog"),
        ("baseball bat", "dog"),
        ("ping pong ball", "ball"),
        ("toy mouse", "toy"),
        ("toy poodle", "poodle"),
        ("stuffed pepper", "plushie"),
        ("ship in a bottle", "ship"),
        ("gingerbread house", "dog house"),
        ("dog house", "house"),
        ("piggy bank", "pig"),
        ("seahorse", "horse"),
        ("mouse", "cat"),
    ],
)
def test_a_noun_of_its_own_is_not_as_tall_as_its_last_word(smaller: str, taller: str) -> None:
    assert (guess_height(smaller) or 0) < (guess_height(taller) or 0)
    assert guess_height(smaller)


@pytest.mark.parametrize(
    "noun", ["blicket", "object", "img", "théière", "狗", "pair of blickets", "of", "R2-D2", "model"]
)
def test_an_unknown_noun_has_no_height(noun: str) -> None:
    assert guess_height(noun) is None


def test_every_category_of_coco_has_a_height() -> None:
    names = re.split(r",\s+", COCO)

    assert len(names) == 80
    assert [name for name in names if guess_height(name) is None] == []


@pytest.mark.parametrize(("noun", "height"), MEASURED.items())
def test_a_guess_is_within_a_factor_of_two_of_a_real_object(noun: str, height: float) -> None:
    guessed = guess_height(noun)

    assert guessed is not None
    assert height / 2 < guessed < height * 2


def test_each_group_has_a_source_and_plausible_heights_in_order(table: dict[str, dict[str, str]]) -> None:
    for name, group in table.items():
        heights = [float(key) for key in group if key != "source"]
        assert len(group["source"]) > 20, name
        assert heights == sorted(heights), name
        assert 0.5 <= heights[0] <= heights[-1] <= 2000, name


def test_each_noun_is_in_the_table_once_in_every_spelling(table: dict[str, dict[str, str]]) -> None:
    nouns = [
        noun for group in table.values() for key, row in group.items() if key != "source" for noun in row.split(", ")
    ]
    spelled = [re.sub(r"\W", "", noun) for noun in nouns]

    assert len(nouns) > 400
    assert [noun for noun, each in zip(nouns, spelled, strict=True) if spelled.count(each) > 1] == []
    assert [noun for noun in nouns if not re.fullmatch(r"[a-z0-9]+(['a-z0-9 ]*[a-z0-9])?", noun)] == []
    assert [noun for noun in nouns if guess_height(noun) is None] == []


def test_a_concept_without_a_height_has_the_typical_one_of_its_noun(pets: Path) -> None:
    described(pets, '[cat2]\nclass_noun = "red mug"\n[dog6]\nheight_cm = 25\n')

    mug, dog = find_concepts(pets).concepts

    assert (mug.height_cm, mug.height_guessed) == (guess_height("mug"), True)
    assert (dog.height_cm, dog.height_guessed) == (25, False)


def test_concepts_without_a_typical_height_are_named_with_the_line_to_write(
    pets: Path, caplog: pytest.LogCaptureFixture
) -> None:
    picture(pets / "blicket 2" / "a.png", 4)
    picture(pets / "dax" / "a.png", 5)

    blicket, *_ = find_concepts(pets).concepts

    assert (blicket.height_cm, blicket.height_guessed) == (None, False)
    (message,) = caplog.messages
    assert 'no typical height is known for the class noun of blicket 2 ("blicket"), dax ("dax"); ' in message
    assert 'write height_cm = … under ["blicket 2"] in concepts.toml' in message
    described(pets, '["blicket 2"]\nheight_cm = 3\n[dax]\nclass_noun = "box"\n')
    caplog.clear()
    assert all(concept.height_cm for concept in find_concepts(pets).concepts)
    assert not caplog.messages
