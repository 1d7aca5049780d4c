"""Trigger words: the committed list, the draw, and their place in a prompt."""

from __future__ import annotations

import re

import pytest

from mycanvas.dataset import Concept
from mycanvas.errors import ConfigError
from mycanvas.export.captions import least_clip_tokens
from mycanvas.export.selection import Selection
from mycanvas.export.triggers import trigger_words, triggers_of, with_triggers

WORDS = Selection(triggers="words")


def concepts(*names: str) -> list[Concept]:
    return [Concept(name=name, token=f"<{name}>", class_name="dog") for name in names]


def test_the_list_has_500_words_of_letters_that_begin_with_a_consonant() -> None:
    words = trigger_words()

    assert len(words) >= 500
    assert len(set(words)) == len(words)
    assert all(re.fullmatch("[b-df-hj-np-tv-z][a-z]{5,6}", word) for word in words)


def test_a_word_depends_on_the_seed_and_the_name_alone() -> None:
    alone = triggers_of(concepts("dog6"), WORDS)
    among = triggers_of(concepts("cat2", "dog6", "vase"), WORDS)
    other = triggers_of(concepts("dog6"), Selection(triggers="words", seed=1))

    assert alone["dog6"] == among["dog6"]
    assert alone["dog6"] in trigger_words()
    assert alone["dog6"] != other["dog6"]


def test_all_concepts_get_different_words() -> None:
    names = [f"c{number}" for number in range(len(trigger_words()))]

    assert sorted(triggers_of(concepts(*names), WORDS).values()) == sorted(trigger_words())
    with pytest.raises(ConfigError, match="pseudo-words, fewer than"):
        triggers_of(concepts(*names, "more"), WORDS)


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("An <owl> owl and a <owl2> owl.", "A zug owl and a mib owl."),
        ("a pair of <owl> glasses, an owl", "a pair of zug glasses, an owl"),
        ("<owl2><owl> an<owl>", "mibzug an<owl>"),
    ],
)
def test_tokens_and_their_articles_are_replaced(prompt: str, expected: str) -> None:
    known = concepts("owl", "owl2")

    assert with_triggers(prompt, known, {"owl": "zug", "owl2": "mib"}) == expected
    assert with_triggers(prompt, known, {"owl": "<owl>", "owl2": "<owl2>"}) == prompt


@pytest.mark.parametrize(("text", "tokens"), [("<dog6>", 4), ("a <dog6> dog in a garden.", 10), ("a, b-c", 5)])
def test_tokens_of_common_words_are_counted(text: str, tokens: int) -> None:
    assert least_clip_tokens(text) == tokens
