"""Replies of language models: layouts, themes, captions, and the JSON of their servers."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any

from builder.records import Concept, Rejected, Setting
from builder.stages.caption.base import CaptionConfig, Words, find_fault
from builder.stages.caption.facts import grouped
from builder.stages.caption.mentions import find_mentions, put_tokens
from builder.stages.caption.relations import scene_objects
from builder.stages.caption.tidy import is_english, openings, tidy
from builder.stages.caption.vlm import Vlm, VlmConfig
from builder.stages.layout.ask import Question, Unusable, read_object
from builder.stages.layout.base import SIZE_RATIOS, find_flaw
from builder.stages.layout.boxes import ask_for_boxes
from builder.stages.layout.examples import BUILT_IN
from builder.stages.layout.theme import ask_for_theme
from mycanvas.io.text import printable
from mycanvas.models.llm.chat import Request
from tests.builder.stages.caption.scenes import make_scene
from tests.builder.stages.layout.scenes import NAMES, boxes, cutout, setting
from tests.fuzz.draws import as_json, changed, damaged, text
from tests.fuzz.target import Target, require

SCENES = {"yard": "in a yard", "beach": "on a beach", "desk": "on a desk", "sofa": "on a sofa"}
CONCEPTS = [
    Concept(name=name, token=f"<{name}>", class_noun=name.rstrip("6"), height_cm=30.0, photos=()) for name in NAMES
]
THEME = {
    "backgrounds": [{"scene": scene, "phrase": f"in a sunny {scene}"} for scene in ("yard", "beach", "desk")],
    "sizes": {"cat": 50, "dog6": 100, "mug": 45},
}
AROUND = ("", "", "", "Here it is:\n```json\n", "<think>{}</think>", "\ufeff", "{", "}", "[", "\0")
SETTINGS = (
    setting(),
    setting([cutout(2.0), cutout(0.3, cut_off=True)]),
    setting([cutout()]),
    setting([cutout(0.7) for _ in range(5)], size=(320, 128)),
)
SENTENCES = (
    "A dog sits beside a mug in a garden.",
    "Two dogs and a mug are on the grass, while another dog sleeps.",
    "Sure! Here is a caption: The image shows a dog, a dog and a mug…",
    "In the picture, a brown dog stands next to a pair of glasses.\n\n- a mug\n2) a dog",
    "A dog bed and a dog's mug, in front of three dogs.",
)
SPOTS: Sequence[Sequence[tuple[str, int, int, int, int]]] = (
    (("dog", 5, 80, 30, 30), ("mug", 60, 85, 20, 20)),
    (("dog", 5, 80, 30, 30), ("dog", 60, 85, 30, 30), ("mug", 36, 90, 20, 20)),
    (("glasses", 5, 80, 30, 30), ("dog", 60, 85, 30, 30)),
    (("rc car", 5, 80, 30, 30), ("car", 40, 85, 30, 30), ("dogs", 70, 90, 20, 20), ("İstanbul ß", 0, 95, 20, 20)),
)


def targets(_scratch: Path) -> Iterator[Target]:
    """The targets of this file."""
    yield Target(name="replies with boxes", draw=_boxes, check=_check_boxes, inputs=25_000, refusals=(Unusable,))
    yield Target(name="replies with themes", draw=_theme, check=_check_theme, inputs=30_000, refusals=(Unusable,))
    yield Target(name="answers as captions", draw=_answer, check=_check_answer, inputs=40_000)
    yield Target(name="captions of a model", draw=_answers, check=_check_vlm, inputs=5_000)


def _reply(random: Random, whole: Any) -> str:
    if random.random() < 0.4:
        words = damaged(random, json.dumps(whole).encode()).decode(errors="replace")
    else:
        words = as_json(random, changed(random, whole)).decode(errors="replace")
    return random.choice(AROUND) + words + random.choice(AROUND)


def _boxes(random: Random) -> tuple[int, str]:
    which = random.randrange(len(SETTINGS))
    names = [concept.name for concept in SETTINGS[which].sample.concepts]
    good = dict(zip(names, json.loads(boxes()).values(), strict=False))
    whole = {name: dict(good.get(name, good["cat" if "cat" in good else names[0]])) for name in names}
    for box in whole.values():
        for key in box:
            if random.random() < 0.3:
                box[key] = random.choice((random.randrange(513), random.uniform(-20, 540), 512 - box[key]))
    return which, json.dumps(whole) if random.random() < 0.3 else _reply(random, whole)


def _asked_again(question: Question[Any], reply: str) -> Any:
    """The answer in a reply; a complaint must fit into the next request."""
    try:
        return question.check(read_object(reply))
    except Unusable as complaint:
        turns = (*question.turns, reply[:2000], str(complaint))
        request = Request(model="m", turns=turns, schema=question.schema, temperature=0.5, seed=1, max_tokens=64)
        require(request.key() and json.dumps(request.messages(), ensure_ascii=False).encode(), "complaints can be sent")
        raise


def _check_boxes(given: tuple[int, str]) -> None:
    chosen: Setting = SETTINGS[given[0]]
    placements = _asked_again(ask_for_boxes(chosen, BUILT_IN, 512, 0.25, 0), given[1])
    require(find_flaw(chosen, placements, 0.25) is None, "a layout keeps all bounds")
    require(all(place.depth >= 0 for place in placements), "depths are not negative")


def _theme(random: Random) -> tuple[bool, str]:
    return random.random() < 0.5, _reply(random, THEME)


def _check_theme(given: tuple[bool, str]) -> None:
    theme = _asked_again(ask_for_theme(CONCEPTS, SCENES, free=given[0]), given[1])
    require(set(theme.sizes) == set(NAMES), "each object has a size")
    require(all(SIZE_RATIOS[0] <= size <= 1 for size in theme.sizes.values()), "sizes are in their range")
    for scene, phrase in theme.backgrounds:
        require(scene in SCENES and printable(phrase) == phrase, "scenes are known, and phrases printable")


def _answer(random: Random) -> str:
    if random.random() < 0.3:
        return text(random, surrogates=True, most=30)
    return damaged(
        random, random.choice(SENTENCES).encode(), [b" two dogs", b" another dog", b"</think>", b"\xe2\x80\xa6"]
    ).decode(errors="replace")


def _check_answer(answer: str) -> None:
    tidied = tidy(answer)
    require(printable(tidied) == tidied and "\n" not in tidied, "a tidy answer is one printable line")
    require("<" not in tidied or ">" not in tidied.partition("<")[2], "a tidy answer has no tags")
    is_english(tidied)
    groups = grouped(scene_objects(make_scene(SPOTS[1])))
    for opening in openings(tidied, 30):
        require(len(opening.split()) <= 30, "openings are short")
        for mention in find_mentions(opening, ["dog", "mug", "glasses"]):
            require(0 <= mention.start < mention.end <= len(opening), "mentions are in the text")
        words = put_tokens(opening, groups)
        if isinstance(words, tuple):
            require(
                all(words[1].count(item.token) == 1 for group in groups for item in group), "each token is there once"
            )


class _Says:
    """A model with given answers."""

    def __init__(self, answers: Sequence[str]) -> None:
        self._answers = iter(answers)

    def answer(self, _images: Sequence[Any], _requests: Sequence[str], _seeds: Sequence[int | None]) -> Sequence[str]:
        return [next(self._answers)]


def _answers(random: Random) -> tuple[int, list[str]]:
    return random.randrange(len(SPOTS)), [_answer(random) for _ in range(3)]


def _check_vlm(given: tuple[int, list[str]]) -> None:
    scene = make_scene(SPOTS[given[0]])
    (words,) = Vlm(VlmConfig(), _Says(given[1])).caption([scene], CaptionConfig(), 0)
    if isinstance(words, Rejected):
        return
    require(isinstance(words, Words) and printable(words.caption) == words.caption, "captions are printable")
    fault = find_fault(words.caption, words.prompt, scene.canvas.layout.setting.sample.concepts, 30)
    require(fault is None, "without its tokens, a prompt equals its caption")
