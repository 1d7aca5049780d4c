from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
import pytest

from builder.records import Captioned, Rejected, Scene
from builder.stages.caption import caption
from builder.stages.caption.base import CaptionConfig, Words
from builder.stages.caption.template import Template
from tests.builder.stages.caption.scenes import Spot, make_scene

NOUNS = ("dog", "cat", "teapot", "hourglass", "rc car", "sunglasses", "wolf plushie", "flowers", "mouse")
LIST = r"<c\d>(?:(?:, | and )<c\d>)*"
RELATION = re.compile(
    rf"({LIST}) (?:stands?|sits?|is|are) (to the left of|to the right of|in front of|behind|"
    rf"next to|beside|between) ({LIST})"
)
WITHIN = re.compile(rf"({LIST}) (?:stand|sit|are) (side by side|one in front of the other)")
ROW = re.compile(rf"From left to right, ({LIST})")


def random_spots(rng: np.random.Generator) -> list[Spot]:
    """1 to 5 objects at random places, often of the same class, often overlapping."""
    spots = []
    for noun in rng.choice(NOUNS, rng.integers(1, 6)):
        width, height = rng.integers(15, 35, 2)
        spots.append((str(noun), int(rng.integers(0, 65)), int(rng.integers(60, 100)), int(width), int(height)))
    return spots


def captioned_all(scenes: Sequence[Scene], seed: int = 0, max_words: int = 30) -> list[Captioned]:
    results = list(caption(scenes, Template(), CaptionConfig(max_words=max_words), seed))
    assert not [result for result in results if isinstance(result, Rejected)]
    return [result for result in results if isinstance(result, Captioned)]


@pytest.fixture(scope="module")
def crowd() -> list[Captioned]:
    """Captions of four hundred random scenes."""
    rng = np.random.default_rng(7)
    return captioned_all([make_scene(random_spots(rng), sample_id=f"s{i}") for i in range(400)])


def concepts(captioned: Captioned) -> Iterator[tuple[str, str]]:
    for concept in captioned.scene.canvas.layout.setting.sample.concepts:
        yield concept.token, concept.class_noun


def test_captions_are_short_name_the_background_and_read_as_sentences(crowd: list[Captioned]) -> None:
    for each in crowd:
        assert 3 <= len(each.caption.split()) <= 30
        assert "in a garden" in each.caption.lower()
        assert re.fullmatch(r"[A-Z][a-z ,]*\.", each.caption)


def test_every_token_occurs_once_before_its_own_noun(crowd: list[Captioned]) -> None:
    for each in crowd:
        assert re.findall(r"<\w+>", each.prompt) != []
        for token, noun in concepts(each):
            assert each.prompt.count(f"{token} {noun}") == each.prompt.count(token) == 1
        assert len(re.findall(r"<\w+>", each.prompt)) == len(list(concepts(each)))
        assert not re.search("<", each.caption)


def test_objects_of_one_class_are_counted_together(crowd: list[Captioned]) -> None:
    numbers = ("", "", "two", "three", "four", "five")
    plurals = {
        "mouse": "mice",
        "sunglasses": "pairs of sunglasses",
        "flowers": "sets of flowers",
        "hourglass": "hourglasses",
    }
    seen = 0
    for each in crowd:
        for noun, count in Counter(noun for _, noun in concepts(each)).items():
            if count > 1:
                seen += 1
                assert f"{numbers[count]} {plurals.get(noun, noun + 's')}" in each.caption.lower()
    assert seen > 50


def test_prompt_without_counts_is_the_caption_with_tokens(crowd: list[Captioned]) -> None:
    uncounted = [each for each in crowd if max(Counter(noun for _, noun in concepts(each)).values()) == 1]

    assert len(uncounted) > 100
    for each in uncounted:
        assert re.sub(r"<\w+> ", "", each.prompt) == each.caption


def test_tokens_of_one_class_are_in_order_from_left_to_right(crowd: list[Captioned]) -> None:
    for each in crowd:
        nouns = dict(concepts(each))
        centres = {token: centre for token, (centre, *_) in spots_of(each.scene).items()}
        for one, other in pairwise(re.findall(r"<\w+>", each.prompt)):
            assert nouns[one] != nouns[other] or centres[one] <= centres[other]


def spots_of(scene: Scene) -> dict[str, tuple[float, float, float, float, float]]:
    """Token -> horizontal centre, left, right, base row, depth; from the placements, as nothing is hidden here."""
    layout = scene.canvas.layout
    return {
        concept.token: (p.x + p.width / 2, p.x, p.x + p.width, p.y + p.height, p.depth)
        for concept, p in zip(layout.setting.sample.concepts, layout.placements, strict=True)
    }


def statements(prompt: str) -> Iterator[tuple[list[str], str, list[str]]]:
    """The relations that a prompt states: (tokens, relation, tokens)."""
    bare = re.sub(r"\b[Aa]n? (?:(?:pair|set) of )?(<c\d>) (?:" + "|".join(NOUNS) + r")\b", r"\1", prompt)
    for subject, relation, target in RELATION.findall(bare):
        yield re.findall(r"<c\d>", subject), relation, re.findall(r"<c\d>", target)
    for subject, relation in WITHIN.findall(bare):
        yield re.findall(r"<c\d>", subject), relation, []
    for row in ROW.findall(bare):
        yield re.findall(r"<c\d>", row), "row", []


def holds(scene: Scene, subject: list[str], relation: str, target: list[str]) -> bool:
    """Whether a relation is true, by an independent minimal definition."""
    spots = spots_of(scene)

    def left(one: str, other: str) -> bool:
        (c1, _, right1, *_), (c2, left2, *_) = spots[one], spots[other]
        return c1 < left2 and right1 < c2

    def front(one: str, other: str) -> bool:
        (_, left1, right1, base1, depth1), (_, left2, right2, base2, depth2) = spots[one], spots[other]
        return depth1 < depth2 and base1 > base2 and min(right1, right2) > max(left1, left2)

    def near(one: str, other: str) -> bool:
        first, second = sorted((one, other), key=lambda token: spots[token][0])
        gap = spots[second][1] - spots[first][2]
        between = [token for token in spots if spots[first][0] < spots[token][0] < spots[second][0]]
        return left(first, second) and gap < 25 and not between

    pairs = [(one, other) for one in subject for other in target]
    centres = [spots[token][0] for token in target]
    return {
        "to the left of": lambda: all(left(*pair) for pair in pairs),
        "to the right of": lambda: all(left(other, one) for one, other in pairs),
        "in front of": lambda: all(front(*pair) for pair in pairs),
        "behind": lambda: all(front(other, one) for one, other in pairs),
        "next to": lambda: all(near(*pair) for pair in pairs),
        "beside": lambda: all(near(*pair) for pair in pairs),
        "between": lambda: all(min(centres) < spots[one][0] < max(centres) for one in subject),
        "side by side": lambda: all(near(*pair) for pair in pairwise(subject)),
        "one in front of the other": lambda: len(subject) == 2 and (front(*subject) or front(*subject[::-1])),
        "row": lambda: all(left(*pair) for pair in pairwise(subject)),
    }[relation]()


def test_every_stated_relation_is_true(crowd: list[Captioned]) -> None:
    made = [(each, claim) for each in crowd for claim in statements(each.prompt)]

    untrue = [(each.prompt, claim) for each, claim in made if not holds(each.scene, *claim)]

    assert not untrue
    assert len(made) > 200
    assert len({relation for _, (_, relation, _) in made}) == 10


def test_words_depend_on_seed_and_sample_only() -> None:
    rng = np.random.default_rng(3)
    scenes = [make_scene(random_spots(rng), sample_id=f"s{i}") for i in range(30)]

    texts = [(each.caption, each.prompt) for each in captioned_all(scenes)]
    alone = [(each.caption, each.prompt) for scene in reversed(scenes) for each in captioned_all([scene])]

    assert alone[::-1] == texts
    assert [(each.caption, each.prompt) for each in captioned_all(scenes, seed=1)] != texts


@pytest.mark.parametrize(
    ("spots", "at_least"),
    [
        ([("dog", 30, 90, 30, 30)], 6),
        ([("dog", 5, 90, 30, 30), ("teapot", 60, 80, 30, 30)], 18),
        ([("dog", 5, 90, 20, 30), ("cat", 30, 80, 20, 30), ("dog", 60, 70, 20, 30), ("mug", 70, 90, 25, 25)], 30),
    ],
)
def test_seeds_give_many_captions_of_one_scene(spots: list[Spot], at_least: int) -> None:
    scene = make_scene(spots)

    assert len({captioned_all([scene], seed)[0].caption for seed in range(100)}) >= at_least


def test_five_long_names_and_a_long_background_fit() -> None:
    rng = np.random.default_rng(0)
    nouns = ("old alarm clock", "knitted teddy bear", "red toy car", "tall flower vase", "striped coffee mug")
    for index in range(50):
        spots = [(noun, *spot[1:]) for noun, spot in zip(nouns, [random_spots(rng)[0] for _ in nouns], strict=True)]
        (each,) = captioned_all([make_scene(spots, sample_id=str(index), where="on the shore of a lake")])
        assert all(noun in each.caption for noun in nouns)


def test_scene_that_takes_too_many_words_is_rejected_and_others_are_kept() -> None:
    spots: list[Spot] = [(f"very old thing {name}", 10, 90, 10, 10) for name in "abcde"]
    scenes = [make_scene(spots, sample_id="long"), make_scene([("dog", 10, 90, 10, 10)])]

    long, short = caption(scenes, Template(), CaptionConfig(max_words=12), 0)

    assert isinstance(long, Rejected)
    assert (long.sample_id, long.stage) == ("long", "caption")
    assert long.reason == "29 words are needed to name everything; expected at most 12"
    assert isinstance(short, Captioned)


class Fixed:
    """A captioner that returns given words."""

    def __init__(self, *words: tuple[str, str] | Rejected) -> None:
        self.words = words

    def caption(self, scenes: Sequence[Scene], config: CaptionConfig, seed: int) -> Sequence[Words | Rejected]:
        assert len(scenes) == len(self.words)
        assert (config.max_words, seed) == (12, 0)
        return [each if isinstance(each, Rejected) else Words(caption=each[0], prompt=each[1]) for each in self.words]


PAIR: list[Spot] = [("dog", 10, 90, 10, 10), ("dog", 50, 90, 10, 10), ("cat", 80, 90, 10, 10)]


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("Two dogs.", "A <c0> dog and a <c1> dog and a <c2> cat."), "no cat in 'Two dogs.'"),
        (("Two dogs and a cat.", "A <c0> dog, a dog and a <c2> cat."), "<c1> occurs 0 times"),
        (("Two dogs and a cat.", "A <c0> dog, a <c1> dog, a <c1> dog and a <c2> cat."), "<c1> occurs 2 times"),
        (("Two dogs and a cat.", "A <c0> dog, a <c2> dog and a <c1> cat."), "<c1> is not right before dog"),
        (("Two dogs and a cat.", "A <c0> dog, a <c1> dog and a <c2> cat play."), "without its tokens"),
        (("Three dogs and a cat.", "A <c0> dog, a <c1> dog and a <c2> cat."), "without its tokens"),
        (
            (f"Two dogs and a cat {'so ' * 7}.", f"A <c0> dog, a <c1> dog and a <c2> cat {'so ' * 7}."),
            "13 words in .*; expected at most 12",
        ),
    ],
)
def test_words_that_break_a_rule_are_rejected(words: tuple[str, str], reason: str) -> None:
    (result,) = caption([make_scene(PAIR)], Fixed(words), CaptionConfig(max_words=12), 0)

    assert isinstance(result, Rejected)
    assert re.search(reason, result.reason)


def test_valid_words_and_rejections_are_passed_on() -> None:
    words = ("A cat watches two dogs.", "A <c2> cat watches a <c0> dog and a <c1> dog.")
    busy = Rejected(sample_id="s1", stage="caption", reason="the server was busy", retriable=True)

    captioned, rejected = caption(
        [make_scene(PAIR), make_scene(PAIR)], Fixed(words, busy), CaptionConfig(max_words=12), 0
    )

    assert isinstance(captioned, Captioned)
    assert (captioned.caption, captioned.prompt) == words
    assert rejected is busy
