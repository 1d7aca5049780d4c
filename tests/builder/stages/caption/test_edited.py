"""Captions that people wrote: tokens are put back, and texts that do not name every object are refused."""

from __future__ import annotations

import pytest

from builder.records import Box
from builder.stages.caption.base import Words
from builder.stages.caption.edited import edited_words

LEFT, MIDDLE, RIGHT = (10, 0, 20, 20), (50, 0, 20, 20), (90, 0, 20, 20)


def edited(text: str, *objects: tuple[str, str, Box]) -> Words | str:
    nouns, tokens, boxes = zip(*objects, strict=True)
    return edited_words(text, nouns, tokens, boxes, 30)


CAT, DOG, DOG6 = ("cat", "<cat2>", RIGHT), ("dog", "<dog>", MIDDLE), ("dog", "<dog6>", LEFT)


@pytest.mark.parametrize(
    ("text", "objects", "caption", "prompt"),
    [
        (
            "A black cat\n looks at a dog.",
            (CAT, DOG),
            "A black cat looks at a dog.",
            "A black <cat2> cat looks at a <dog> dog.",
        ),
        (
            "A dog sits beside another dog.",
            (DOG, DOG6),
            "A dog sits beside another dog.",
            "A <dog6> dog sits beside another <dog> dog.",
        ),
        (
            "Two dogs and a cat in a yard",
            (DOG, CAT, DOG6),
            "Two dogs and a cat in a yard",
            "A <dog6> dog, a <dog> dog and a <cat2> cat in a yard",
        ),
    ],
)
def test_prompt_has_each_token_before_its_noun(
    text: str, objects: tuple[tuple[str, str, Box], ...], caption: str, prompt: str
) -> None:
    assert edited(text, *objects) == Words(caption=caption, prompt=prompt, written_by="person")


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("A cat in a garden.", 'it does not say "dog"'),
        ("A cat and two dogs.", "it speaks of more than one dog; there is only one"),
        ("A cat and a <dog> dog.", "it has the token <dog>, which only the prompt has, and gets by itself"),
        ("A cat and a dog sit " + "very " * 30 + "near.", "words in"),
        ("<script>alert(1)</script>", 'it does not say "dog"'),
    ],
)
def test_text_that_does_not_name_every_object_is_refused(text: str, fault: str) -> None:
    found = edited(text, DOG, CAT)

    assert isinstance(found, str)
    assert fault in found
