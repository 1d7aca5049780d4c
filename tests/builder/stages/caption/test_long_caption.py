"""Every statement of a long caption holds for the boxes of its scene, and every object is described."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pytest

from builder.records import Captioned, Scene
from builder.stages.caption.long_caption import LARGE, MAX_WORDS, SHARES, SMALL, long_caption
from tests.builder.stages.caption.scenes import SIDE, Spot, make_scene
from tests.builder.stages.caption.test_caption import captioned_all, random_spots

ORDINALS = ("first", "second", "third", "fourth", "fifth")
COLUMNS = {"far left": (0, 0.2), "left": (0.2, 0.4), "middle": (0.4, 0.6), "right": (0.6, 0.8), "far right": (0.8, 1)}
RELATION = re.compile(
    r"(to the left of|to the right of|in front of|behind|next to|beside|between) "
    r"(the [\w ]+?)(?: and (the [\w ]+?))?(?=[,.]| and |$)"
)


class Thing(NamedTuple):
    """An object as the caption should call it, with its extent in fractions of the picture."""

    known: str
    left: float
    top: float
    width: float
    height: float
    base: float

    @property
    def centre(self) -> float:
        return self.left + self.width / 2


def things(scene: Scene) -> list[Thing]:
    canvas = scene.canvas
    concepts = canvas.layout.setting.sample.concepts
    boxes = [tuple(value / SIDE for value in box) for box in canvas.boxes]
    order = sorted(range(len(boxes)), key=lambda i: (boxes[i][0] + boxes[i][2] / 2, concepts[i].token))
    nouns = [concepts[i].class_noun for i in order]
    found = []
    for place, index in enumerate(order):
        noun = nouns[place]
        thing = {"sunglasses": "pair of sunglasses", "flowers": "set of flowers"}.get(noun, noun)
        number = f"{ORDINALS[nouns[:place].count(noun)]} " if nouns.count(noun) > 1 else ""
        x, y, width, height = boxes[index]
        spot = canvas.layout.placements[index]
        found.append(Thing(f"the {number}{thing}", x, y, width, height, (spot.y + spot.height) / SIDE))
    return found


@pytest.fixture(scope="module")
def crowd() -> list[Captioned]:
    rng = np.random.default_rng(11)
    return captioned_all([make_scene(random_spots(rng), sample_id=f"s{i}") for i in range(300)])


def sentences(captioned: Captioned) -> Iterator[tuple[Thing, str]]:
    """Each object with the one sentence that is about it."""
    found = things(captioned.scene)
    later = captioned.long_caption.split(". ")[1:]
    assert len(later) == len(found)
    for sentence in later:
        place = re.compile(r"(?:^|(?:stands|sits|is) )(the .*?)(?=,|\.| is | stands | sits )", re.IGNORECASE)
        name = re.sub("^T", "t", next(match for match in place.findall(sentence) if match[:3].lower() == "the"))
        (thing,) = (thing for thing in found if thing.known == name.rstrip("."))
        yield thing, sentence


def test_caption_is_at_most_the_limit_and_introduces_every_object_from_left_to_right(crowd: list[Captioned]) -> None:
    for each in crowd:
        opening = each.long_caption.split(".")[0].lower()
        introduced = [re.sub(r"^the (?:first )?", "", thing.known) for thing in things(each.scene)]
        assert len(each.long_caption.split()) <= MAX_WORDS
        assert "in a garden" in opening
        assert re.search(r".*\b".join(map(re.escape, introduced)), opening)
        assert re.fullmatch(r"(?:[A-Z][a-z ,]*\. ?)+", each.long_caption)


def test_every_object_has_one_sentence_with_its_place(crowd: list[Captioned]) -> None:
    for each in crowd:
        described = [thing for thing, _ in sentences(each)]
        assert sorted(described) == sorted(things(each.scene))
        for thing, sentence in sentences(each):
            (where,) = re.findall(
                r"\b[io]n the (far left|left|middle|far right|right)\b(?! of)", sentence, re.IGNORECASE
            )
            low, high = COLUMNS[where]
            assert low - 1e-9 <= thing.centre <= high + 1e-9


def test_sizes_are_those_of_the_boxes(crowd: list[Captioned]) -> None:
    stated = 0
    for each in crowd:
        for thing, sentence in sentences(each):
            if share := re.search(r"about ([\w ]+?) as (tall|wide) as the picture", sentence):
                actual = thing.height if share[2] == "tall" else thing.width
                assert actual == max(thing.height, thing.width)
                assert SHARES[share[1]] == pytest.approx(actual, abs=0.05)
                stated += 1
            area = thing.width * thing.height
            assert area >= LARGE or "large" not in sentence
            assert area <= SMALL or "small" not in sentence
    assert stated > 700


def test_relations_hold_between_the_boxes(crowd: list[Captioned]) -> None:
    counts = dict.fromkeys(("left", "right", "front", "behind", "beside", "between"), 0)
    for each in crowd:
        by_name = {thing.known: thing for thing in things(each.scene)}
        for one, sentence in sentences(each):
            for how, other, more in RELATION.findall(sentence):
                others = [by_name[other], *([by_name[more]] if more else [])]
                kind = {"next to": "beside", "in front of": "front"}.get(how, how.split()[-1 if how[0] == "b" else -2])
                counts[kind] += 1
                assert one not in others
                if kind == "between":
                    assert min(o.centre for o in others) < one.centre < max(o.centre for o in others)
                elif kind == "left":
                    assert one.centre < others[0].centre
                elif kind == "right":
                    assert one.centre > others[0].centre
                elif kind == "front":
                    assert one.base > others[0].base
                elif kind == "behind":
                    assert one.base < others[0].base
                else:
                    gap = max(one.left, others[0].left) - min(one.left + one.width, others[0].left + others[0].width)
                    assert gap <= 0.6 * max(one.width, others[0].width)
    assert min(counts.values()) >= 3, counts


def test_depth_is_that_of_the_rows_on_which_objects_stand(crowd: list[Captioned]) -> None:
    stated = 0
    for each in crowd:
        bases = [thing.base for thing in things(each.scene)]
        for thing, sentence in sentences(each):
            if "in the foreground" in sentence:
                assert thing.base >= max(bases) - 0.02
                stated += 1
            if "further back" in sentence:
                assert thing.base <= min(bases) + 0.02
    assert stated > 50


def test_same_scene_and_seed_give_the_same_words_and_another_seed_others(crowd: list[Captioned]) -> None:
    again = [long_caption(each.scene, 0) for each in crowd]
    other = [long_caption(each.scene, 1) for each in crowd]

    assert again == [each.long_caption for each in crowd]
    assert sum(one != two for one, two in zip(again, other, strict=True)) > 250


def test_five_objects_with_long_names_keep_their_sizes_and_places() -> None:
    names = [
        "red swimming goggles",
        "blue swimming goggles",
        "tall grandfather clock",
        "big garden gnome",
        "old fire hydrant",
    ]
    spots: list[Spot] = [(name, 18 * index, 70 + 6 * index, 16, 30) for index, name in enumerate(names)]

    (captioned,) = captioned_all([make_scene(spots)], max_words=30)

    assert len(captioned.long_caption.split()) <= MAX_WORDS
    assert captioned.long_caption.count("as the picture") >= 4
    assert all(captioned.long_caption.count(name) >= 2 for name in names)


def test_objects_of_one_class_are_numbered_from_left_to_right() -> None:
    (captioned,) = captioned_all([make_scene([("dog", 10, 80, 30, 50), ("dog", 60, 80, 30, 50)])])

    assert "a dog and a second dog in a garden" in captioned.long_caption
    assert "the first dog" in captioned.long_caption.split(". ")[2]
