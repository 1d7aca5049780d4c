"""Typical heights of objects by their class nouns, for concepts without a height_cm; the table is heights.toml."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib import resources
from itertools import takewhile
from pathlib import Path

from builder.records import Concept
from builder.sources.concept_names import BLANK, noun_setting
from mycanvas.english import plural
from mycanvas.io.toml import toml_key

_SHOWN = 5
"""Concepts that a warning lists; the others are counted."""
_PREPOSITIONS = {"at", "by", "for", "from", "in", "of", "on", "with"}
_PLUSH = {"cuddly", "plush", "plushie", "plushy", "stuffed"}
_TOY = {"lego", "miniature", "model", "origami", "rc", "toy"}


def guess_height(noun: str) -> float | None:
    """The typical height of an object in centimetres; None if the table has neither its noun nor the head of it.

    A "red coffee mug" is as tall as a mug, a "cup of tea" as a cup, a "pair of shoes" as a shoe. All plushies have one
    height; toys and models ("toy dog") are no taller than a toy.
    """
    words = re.findall(r"\w+", re.sub("['’]", "", noun.casefold()))
    head = list(takewhile(lambda word: word not in _PREPOSITIONS, words))
    whole = _heights().get("".join(words))
    return next(filter(None, (whole, _of_compound(head), _of_compound(words[len(head) + 1 :]))), None)


def known_end(words: Sequence[str]) -> int:
    """The index at which the longest end of a noun's words begins that the table has; of the last word if it has none.

    1 for "red", "alarm", "clock", as the table has alarm clocks.
    """
    plain = [re.sub(r"\W", "", word.casefold()) for word in words]
    ends = (start for start in range(len(plain)) if "".join(plain[start:]) in _heights())
    return next(ends, len(plain) - 1)


def _of_compound(words: Sequence[str]) -> float | None:
    """The height by the longest known end of the words, scaled if a word before it says that it is no real one."""
    heights = _heights()
    start = known_end(words)
    size, qualities = heights.get("".join(words[start:])), set(words[:start])
    if qualities & _PLUSH:
        return heights["plushie"]
    if qualities & _TOY:
        return min(size or heights["toy"], heights["toy"])
    return size


def height_warning(concepts: Sequence[Concept], list_file: Path | None) -> str | None:
    """A warning about the concepts without a height, with the way to set it; None if every concept has one.

    list_file: the concepts_list.json that describes the concepts; None: concepts.toml does.
    """
    unknown = [concept for concept in concepts if concept.height_cm is None]
    if not unknown:
        return None
    listed = ", ".join(f'{concept.name} ("{concept.class_noun}")' for concept in unknown[:_SHOWN])
    more = f" and {len(unknown) - _SHOWN} more" if len(unknown) > _SHOWN else ""
    first = unknown[0].name
    common = f"a common noun: {noun_setting(first, BLANK, list_file)}"
    in_centimetres = f"to set its height in centimetres, write height_cm = … under [{toml_key(first)}] in concepts.toml"
    remedy = f"give it {common}" if list_file else f"{in_centimetres}, or give it {common}"
    return (
        f"no typical height is known for the class noun of {listed}{more}; scenes show such an object as large as the "
        f"others on average; {remedy}"
    )


@cache
def _heights() -> Mapping[str, float]:
    """Heights by nouns and their plurals, written as one word: "hair dryer" and "hairdryer" are the same."""
    nouns = dict(_entries())
    return {_joined(plural(noun)): size for noun, size in nouns.items()} | {
        _joined(noun): size for noun, size in nouns.items()
    }


def _entries() -> Iterator[tuple[str, float]]:
    table = tomllib.loads((resources.files("builder.sources") / "heights.toml").read_text(encoding="utf-8"))
    for group in table.values():
        for size, nouns in group.items():
            if size != "source":
                yield from ((noun, float(size)) for noun in nouns.split(", "))


def _joined(noun: str) -> str:
    return re.sub(r"\W", "", noun)
