"""Long captions, for trainers: each object with its size, its place and its neighbours, from a scene's geometry.

"A photo of a teapot, a dog and a second dog in a garden, from left to right. The teapot is about a third as wide as the
picture and stands on the left, next to the first dog. ..." The first sentence introduces every object, from left to
right; the others refer back to them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import TypeVar

import numpy as np

from builder.records import Scene
from builder.seeds import rng_for
from builder.stages.caption.relations import SceneObject, between, in_front_of, left_of, next_to, scene_objects
from mycanvas.english import listed, with_article

MAX_WORDS = 120
"""Maximum number of words of a long caption."""

LARGE, SMALL = 0.15, 0.04
"""An object is large if its box covers at least this fraction of the picture, and small if at most that."""
SHARES = {
    "a tenth": 1 / 10,
    "an eighth": 1 / 8,
    "a sixth": 1 / 6,
    "a fifth": 1 / 5,
    "a quarter": 1 / 4,
    "a third": 1 / 3,
    "two fifths": 2 / 5,
    "half": 1 / 2,
    "three fifths": 3 / 5,
    "two thirds": 2 / 3,
    "three quarters": 3 / 4,
    "four fifths": 4 / 5,
    "nine tenths": 9 / 10,
}
"""Fractions of the picture's height or width in words; the nearest one is used."""
PLACES = {"on the far left": 0.2, "on the left": 0.4, "in the middle": 0.6, "on the right": 0.8}
"""Places in words -> the right end of their columns, as a fraction of the picture's width."""
LAST_PLACE = "on the far right"
DEEP, LEVEL = 0.06, 0.02
"""If the rows on which objects stand differ by at least DEEP, objects within LEVEL of the lowest row are in the
foreground, and those within LEVEL of the highest row are further back; fractions of the picture's height."""

OPENINGS = ("a photo of {objects} {where}", "this photo shows {objects} {where}", "{objects} {where}")
VERBS = ("stands", "sits", "is")
ORDINALS = ("first", "second", "third", "fourth", "fifth")
NEXT = ("next to", "beside")

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True, slots=True)
class _Named:
    """An object with its names in the text. new: "a dog" or "a second dog". known: "the dog" or "the first dog"."""

    item: SceneObject
    new: str
    known: str


@dataclass(frozen=True, kw_only=True, slots=True)
class _Detail:
    """Words on one object; each may be empty, except for name, verb and place.

    repeated: an earlier sentence already has the relation, as seen from the other object.
    """

    name: str
    verb: str
    place: str
    place_first: bool
    adjective: str
    share: str
    depth: str
    relation: str
    repeated: bool


def long_caption(scene: Scene, seed: int) -> str:
    """Describe a scene in at most MAX_WORDS words; the same scene and seed give the same words.

    Every statement is true of the scene's boxes and placements. If there are too many words, the least important ones
    are left out.
    """
    sample = scene.canvas.layout.setting.sample
    rng = rng_for(seed, sample.id, "long caption")
    named = _named(scene_objects(scene))
    opening = _opening(named, sample.background.phrase, rng)
    details = _details(named, rng)
    for shorter in _shortened(details):
        text = " ".join([opening, *map(_sentence, shorter)])
        if len(text.split()) <= MAX_WORDS:
            break
    return text


def _shortened(details: Sequence[_Detail]) -> Iterator[Sequence[_Detail]]:
    """The details, then ever fewer of them: without depths, repeated relations, adjectives, other relations, shares."""
    yield details
    details = [replace(detail, depth="", place_first=True) for detail in details]
    yield details
    details = [replace(detail, relation="") if detail.repeated else detail for detail in details]
    yield details
    details = [replace(detail, adjective="") for detail in details]
    yield details
    for index in reversed(range(len(details))):
        details[index] = replace(details[index], relation="")
        yield details
    for index in reversed(range(len(details))):
        details[index] = replace(details[index], share="")
        yield details


def _named(items: Sequence[SceneObject]) -> list[_Named]:
    """Name the objects, which are ordered from left to right; those of one class are numbered."""
    nouns = [item.noun for item in items]
    found = []
    for index, item in enumerate(items):
        article, phrase = with_article(item.noun).split(" ", 1)
        number = nouns[:index].count(item.noun)
        ordinal = ORDINALS[number]
        new = f"{article} {phrase}" if number == 0 else f"a {ordinal} {phrase}"
        known = f"the {phrase}" if nouns.count(item.noun) == 1 else f"the {ordinal} {phrase}"
        found.append(_Named(item=item, new=new, known=known))
    return found


def _opening(named: Sequence[_Named], where: str, rng: np.random.Generator) -> str:
    text = _pick(OPENINGS, rng).format(objects=listed([each.new for each in named]), where=where)
    return _capitalised(f"{text}, from left to right." if len(named) > 1 else f"{text}.")


def _details(named: Sequence[_Named], rng: np.random.Generator) -> list[_Detail]:
    bases = [each.item.base for each in named]
    stated: set[frozenset[str]] = set()
    found = []
    for index, each in enumerate(named):
        item = each.item
        share, side = max((item.box[3], "tall"), (item.box[2], "wide"))
        nearest = min(SHARES, key=lambda words: abs(SHARES[words] - share))
        area = item.box[2] * item.box[3]
        relation, repeated = _relation(index, named, stated, rng)
        found.append(
            _Detail(
                name=each.known,
                verb=_pick(VERBS, rng),
                place=next((words for words, end in PLACES.items() if item.centre <= end), LAST_PLACE),
                place_first=bool(rng.random() < 0.4),
                adjective="large" if area >= LARGE else "small" if area <= SMALL else "",
                share=f"about {nearest} as {side} as the picture",
                depth=_depth(item.base, bases),
                relation=relation,
                repeated=repeated,
            )
        )
    return found


def _depth(base: float, bases: Sequence[float]) -> str:
    if max(bases) - min(bases) < DEEP:
        return ""
    if base >= max(bases) - LEVEL:
        return "in the foreground"
    return "further back" if base <= min(bases) + LEVEL else ""


def _relation(
    index: int, named: Sequence[_Named], stated: set[frozenset[str]], rng: np.random.Generator
) -> tuple[str, bool]:
    """Relate an object to a neighbour, and add the pair to `stated`; pairs that are not in it are preferred.

    Returns:
        The relation, "" if none is known, and whether its pair was in `stated`.
    """
    one, everything = named[index], [each.item for each in named]
    if 0 < index < len(named) - 1:
        left, right = named[index - 1], named[index + 1]
        if between(left.item, one.item, right.item) and rng.random() < 0.5:
            stated |= {frozenset((one.known, other.known)) for other in (left, right)}
            return f"between {left.known} and {right.known}", False
    nearest = sorted((other for other in named if other is not one), key=lambda other: abs(named.index(other) - index))
    known = [(other, how) for other in nearest for how in _relations(one.item, other.item, everything, rng)]
    new = [pair for pair in known if frozenset((one.known, pair[0].known)) not in stated]
    chosen = next(chain(new, known), None)
    if chosen is None:
        return "", False
    other, how = chosen
    stated.add(frozenset((one.known, other.known)))
    return f"{how} {other.known}", not new


def _relations(
    one: SceneObject, other: SceneObject, everything: Sequence[SceneObject], rng: np.random.Generator
) -> Iterator[str]:
    """The relations of one object to another that hold, the most informative one first."""
    if in_front_of(one, other):
        yield "in front of"
    if in_front_of(other, one):
        yield "behind"
    beside = next_to(one, other, everything)
    if beside and rng.random() < 0.5:
        yield _pick(NEXT, rng)
    if left_of(one, other):
        yield "to the left of"
    if left_of(other, one):
        yield "to the right of"


def _sentence(detail: _Detail) -> str:
    size = ", ".join(filter(None, (detail.adjective, detail.share)))
    depth, relation = detail.depth, detail.relation
    if detail.place_first:
        place = f"{detail.place}, {depth}," if depth else detail.place
        text = f"{place} {detail.verb} {detail.name}"
        more = " and ".join(filter(None, (size, relation)))
        return _capitalised(f"{text}, {more}." if more else f"{text}.")
    place = " ".join(filter(None, (detail.verb, depth, detail.place)))
    place += f", {relation}" if relation else ""
    if not size:
        return _capitalised(f"{detail.name} {place}.")
    comma = "," if detail.adjective and detail.share else ""
    return _capitalised(f"{detail.name} is {size}{comma} and {place}.")


def _pick(items: Sequence[T], rng: np.random.Generator) -> T:
    return items[int(rng.integers(len(items)))]


def _capitalised(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}"
