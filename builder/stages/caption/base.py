"""Interface of the captioners, the stage's settings, and the rules that every caption must keep."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, Protocol

from pydantic import Field

from builder.records import Concept, Rejected, Scene
from builder.stages.backend import Backend
from mycanvas.english import plural, uncounted
from mycanvas.io.config_table import Table


class CaptionConfig(Table):
    """[caption]: picture -> words."""

    max_words: Annotated[int, Field(ge=12, le=30)] = 30
    """Maximum number of words of a caption, and of a prompt without its tokens."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Words:
    """A caption and its prompt.

    written_by: which of a backend's methods wrote them, if it has several; as in `Captioned`.
    """

    caption: str
    prompt: str
    written_by: str | None = None


class Captioner(Backend, Protocol):
    """Describes scenes in words."""

    def caption(self, scenes: Sequence[Scene], config: CaptionConfig, seed: int) -> Iterable[Words | Rejected]:
        """The words for each scene, in order; a rejection if it has none."""
        ...


def find_fault(text: str, prompt: str, concepts: Sequence[Concept], max_words: int) -> str | None:
    """Return the rule that a caption and its prompt break, in words; None if they keep all.

    The caption names each concept's class. The prompt holds each token once, right before its class noun. Without the
    tokens the prompt equals the caption, except that it may list counted objects one by one, so that each token has a
    noun:
    caption "Two dogs sit in a garden.", prompt "A <dog> dog and a <dog6> dog sit in a garden."
    """
    plain = prompt
    for concept in concepts:
        noun = re.escape(concept.class_noun)
        if not re.search(rf"\b(?:{noun}|{re.escape(plural(concept.class_noun))})\b", text, re.IGNORECASE):
            return f"no {concept.class_noun} in {text!r}"
        if prompt.count(concept.token) != 1:
            return f"{concept.token} occurs {prompt.count(concept.token)} times in {prompt!r}; expected once"
        plain, found = re.subn(rf"{concept.token} (?={noun}\b)", "", plain, flags=re.IGNORECASE)
        if not found:
            return f"{concept.token} is not right before {concept.class_noun} in {prompt!r}"
    for words in (text, plain):
        if len(words.split()) > max_words:
            return f"{len(words.split())} words in {words!r}; expected at most {max_words}"
    nouns = [concept.class_noun for concept in concepts]
    if plain != text and uncounted(text, nouns) != uncounted(plain, nouns):
        return f"without its tokens, {prompt!r} differs from the caption {text!r}"
    return None
