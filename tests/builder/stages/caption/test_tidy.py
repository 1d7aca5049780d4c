from __future__ import annotations

import pytest

from builder.stages.caption.tidy import is_english, openings, tidy


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        ("A mug", "A mug."),
        ("a “blue” mug – or a cup", "A blue mug, or a cup."),
        ("## Scene\n\n- **A mug**\n- A _red_ hat!", "A mug. A red hat."),
        ("1. A mug.\n2. The dogs' bowl.", "A mug. The dogs' bowl."),
        ("Okay! The picture depicts a mug.", "A mug."),
        ("This is a close-up photo of a mug.", "This is a close-up photo of a mug."),
        ("This is a beautiful image of a mug.", "A mug."),
        ("In this image, we can see a mug.", "A mug."),
        ("<think>Is it a mug?</think>It is a mug.", "It is a mug."),
        ("A mug 🐶\u200b on \ud800\x07a mat", "A mug on a mat."),
        ("A mug. It is on the…", "A mug."),
        ("A mug, which is on…", "A mug."),
        ("A mug.…", "A mug."),
        ("Is it a mug?", "Is it a mug?"),
        ("…", ""),
        (" \n ```\n", ""),
    ],
)
def test_answer_is_tidied_into_sentences(answer: str, text: str) -> None:
    assert tidy(answer) == text


def test_openings_are_whole_sentences_before_clauses_and_longest_first() -> None:
    text = "A mug is on a mat, while a cat sleeps. It is sunny. Are you happy? The cat is red."

    assert list(openings(text, 30)) == [
        "A mug is on a mat, while a cat sleeps. It is sunny.",
        "A mug is on a mat, while a cat sleeps.",
        "A mug is on a mat.",
    ]
    assert list(openings(text, 8)) == ["A mug is on a mat."]
    assert list(openings(text, 5)) == []


@pytest.mark.parametrize(
    "text",
    [
        "Ein Hund sitzt in einem Garten.",
        "Un chien est assis dans un jardin.",
        "Un perro y una taza.",
        "一只狗坐在花园里。",
    ],
)
def test_text_in_another_language_is_not_english(text: str) -> None:
    assert is_english("A dog sits in a garden.")
    assert not is_english(text)
