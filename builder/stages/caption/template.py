"""Captions from the known contents of a scene: classes, counts, the background's phrase, and true spatial relations.

Caption: "A teapot stands to the left of two dogs in a garden."
Prompt: "A <teapot> teapot stands to the left of a <dog> dog and a <dog6> dog in a garden."
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain
from typing import TypeAlias, TypeVar

import numpy as np

from builder.records import Rejected, Scene
from builder.seeds import rng_for
from builder.stages.caption.base import CaptionConfig, Captioner, Words
from builder.stages.caption.facts import Fact, Group, facts, grouped, in_a_row
from builder.stages.caption.relations import scene_objects
from mycanvas.english import listed, number_of, with_token

LISTING_SHARE = 0.15
"""Fraction of captions that only list the objects, although a relation is known."""
WHERE_FIRST_SHARE = 0.3
"""Fraction of captions that begin with the background."""
SECOND_FACT_SHARE = 0.7
"""Fraction of captions that state a second relation, if one is known between the remaining objects."""

POSTURES = (("stands", "stand"), ("sits", "sit"))
VERBS = (*POSTURES, ("is", "are"))
"""Verbs in the singular and the plural; they fit any concept."""
JOINERS = (", and ", ", while ")
TAILS = ((", with ", " also in view"), (", along with ", ""))
"""The text before and after the objects that no relation names."""

Mention: TypeAlias = tuple[Group, ...]
Sentence: TypeAlias = tuple[str | Mention, ...]
"""Literal text, and mentions, which caption and prompt write differently."""
T = TypeVar("T")


class Template(Captioner):
    """Fills sentence patterns; the same scene and seed give the same words."""

    def caption(self, scenes: Sequence[Scene], config: CaptionConfig, seed: int) -> Iterator[Words | Rejected]:
        """The words for each scene, in order; reject a scene whose objects take too many words to name."""
        for scene in scenes:
            sample = scene.canvas.layout.setting.sample
            rng = rng_for(seed, sample.id, "caption")
            yield _caption(scene, sample.background.phrase, config.max_words, rng)


def _caption(scene: Scene, where: str, max_words: int, rng: np.random.Generator) -> Words | Rejected:
    """Return the first sentence that is short enough."""
    present = scene_objects(scene)
    fewest = 0
    for sentence in _sentences(grouped(present), where, rng):
        caption, prompt = _render(sentence, mentioned), _render(sentence, with_tokens)
        fewest = max(len(caption.split()), len(prompt.split()) - len(present))
        if fewest <= max_words:
            return Words(caption=caption, prompt=prompt)
    reason = f"{fewest} words are needed to name everything; expected at most {max_words}"
    return scene.canvas.layout.setting.rejected("caption", reason)


def _sentences(groups: Sequence[Group], where: str, rng: np.random.Generator) -> Iterator[Sentence]:
    """All sentences for a scene in random order; the shortest is last."""
    known = facts(groups)
    if rng.random() >= LISTING_SHARE:
        yield from _relating(known, groups, where, rng)
    yield from _listing(groups, where, rng)


def _relating(
    known: Mapping[str, list[Fact]], groups: Sequence[Group], where: str, rng: np.random.Generator
) -> Iterator[Sentence]:
    """Sentences that state one or two relations and then list the remaining objects."""
    ordered = [fact for kind in _shuffled(list(known), rng) for fact in _shuffled(known[kind], rng)]
    for fact in ordered:
        clause = _clause(fact, rng)
        head = (where, ", ", *clause) if rng.random() < WHERE_FIRST_SHARE else (*clause, " ", where)
        rest = _without(groups, fact)
        if rng.random() < SECOND_FACT_SHARE:
            # From the other end of the list, which holds other kinds of relations.
            second = next((other for other in reversed(ordered) if set(other.groups) <= set(rest)), None)
            if second:
                yield (*head, _pick(JOINERS, rng), *_clause(second, rng), *_tail(_without(rest, second), rng))
        yield (*head, *_tail(rest, rng))


def _listing(groups: Sequence[Group], where: str, rng: np.random.Generator) -> Iterator[Sentence]:
    """Sentences that only list the objects."""
    everything = tuple(groups)
    verb = _verb(everything, rng)
    patterns: list[Sentence] = [
        (everything, f" {verb} ", where),
        (where, f" {_verb(everything, rng, POSTURES)} ", everything),
        ("a photo of ", everything, " ", where),
        ("a picture of ", everything, " ", where),
    ]
    if in_a_row(groups):
        patterns.append(("from left to right, ", everything, f" {verb} ", where))
    yield from _shuffled(patterns, rng)
    yield (everything, " ", where)


def _clause(fact: Fact, rng: np.random.Generator) -> Sentence:
    words = f" {_verb(fact.subject, rng)} {fact.relation}"
    return (fact.subject, f"{words} ", fact.target) if fact.target else (fact.subject, words)


def _tail(rest: Mention, rng: np.random.Generator) -> Sentence:
    before, after = _pick(TAILS, rng)
    return (before, rest, after) if rest else ()


def _verb(subject: Mention, rng: np.random.Generator, verbs: Sequence[tuple[str, str]] = VERBS) -> str:
    one, several = _pick(verbs, rng)
    return several if len(subject) > 1 or len(subject[0]) > 1 else one


def _without(groups: Sequence[Group], fact: Fact) -> Mention:
    return tuple(group for group in groups if group not in fact.groups)


def _pick(items: Sequence[T], rng: np.random.Generator) -> T:
    return items[int(rng.integers(len(items)))]


def _shuffled(items: Sequence[T], rng: np.random.Generator) -> list[T]:
    return [items[index] for index in rng.permutation(len(items))]


def _render(sentence: Sentence, mention: Callable[[Mention], str]) -> str:
    text = "".join(part if isinstance(part, str) else mention(part) for part in sentence)
    return f"{text[0].upper()}{text[1:]}."


def mentioned(groups: Mention) -> str:
    """The mention in a caption: "a teapot and two dogs"."""
    return listed([number_of(len(group), group[0].noun) for group in groups])


def with_tokens(groups: Mention) -> str:
    """The mention in a prompt: "a <teapot> teapot, a <dog> dog and a <dog6> dog"."""
    return listed([with_token(item.noun, item.token) for item in chain.from_iterable(groups)])
