"""Ask a language model for a composition's backgrounds and for the relative heights of its objects."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from builder.records import Concept, Theme
from builder.sources.background_photos import MAX_PHRASE_WORDS, PREPOSITIONS, is_plain
from builder.stages.layout.ask import JsonObject, Question, Unusable, check_names, closed, of_form, quoted
from builder.stages.layout.base import SIZE_RATIOS

BACKGROUNDS = 3
"""Number of backgrounds per composition (Gen4Gen)."""
SMALLEST = 0.3
"""Smallest relative size that is accepted; sizes between this and SIZE_RATIOS[0] are raised to SIZE_RATIOS[0]."""

RULES = """You plan photographs in which some objects are seen together. Answer with one JSON object alone: \
{{"backgrounds": [{background}, …], "sizes": {{"<name>": <number>, …}}}}.
- "backgrounds": {count} of them, each another one, where these objects could well stand together. "scene" is the name \
of one of the scenes below.{phrase}
- "sizes": for each object's name how tall it is in the real world, in percent of the tallest: 100 for the tallest, \
and no less than {least:.0f} for any."""

PHRASE = """ "phrase" says in other words where that might be: at most {words} plain lower-case words that begin with \
a preposition ("in a sunny rose garden"), and name none of the objects."""


class _Background(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore")

    scene: str
    phrase: str | None = None


class _Reply(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore", allow_inf_nan=False)

    backgrounds: list[_Background]
    sizes: dict[str, Annotated[float, Field(gt=0)]]


def ask_for_theme(concepts: Sequence[Concept], scenes: Mapping[str, str], *, free: bool) -> Question[Theme]:
    """The question for the theme of a composition.

    Args:
        concepts: the composition.
        scenes: the phrase of each scene, by its name.
        free: whether the model may give a scene a new phrase, because its background will be repainted.
    """
    count = BACKGROUNDS if free else min(BACKGROUNDS, len(scenes))
    rules = RULES.format(
        count=count,
        background='{"scene": "<name>", "phrase": "<words>"}' if free else '{"scene": "<name>"}',
        phrase=PHRASE.format(words=MAX_PHRASE_WORDS) if free else "",
        least=SIZE_RATIOS[0] * 100,
    )
    lines = [rules, "", "Scenes:", *(f"- {json.dumps(scene)}: {phrase}" for scene, phrase in scenes.items())]
    lines += ["", "Objects:"]
    for concept in concepts:
        height = f", {concept.height_cm:g} cm tall" if concept.height_cm else ""
        lines.append(f"- {json.dumps(concept.name)}: {concept.class_noun}{height}")
    return Question(
        task="theme",
        of="+".join(concept.name for concept in concepts),
        turns=("\n".join(lines),),
        schema=_schema([concept.name for concept in concepts], list(scenes), count, free=free),
        check=lambda reply: read_theme(reply, concepts, scenes, free=free),
    )


def _schema(names: Sequence[str], scenes: Sequence[str], count: int, *, free: bool) -> dict[str, Any]:
    background: dict[str, Any] = {"scene": {"type": "string", "enum": list(scenes)}}
    if free:
        pattern = f"^({'|'.join(PREPOSITIONS)})( [a-z]{{1,14}}){{1,{MAX_PHRASE_WORDS - 1}}}$"
        background["phrase"] = {"type": "string", "pattern": pattern}
    size = {"type": "integer", "minimum": round(SIZE_RATIOS[0] * 100), "maximum": 100}
    many = {"type": "array", "minItems": count, "maxItems": count, "items": closed(background)}
    return closed({"backgrounds": many, "sizes": closed(dict.fromkeys(names, size))})


def read_theme(reply: JsonObject, concepts: Sequence[Concept], scenes: Mapping[str, str], *, free: bool) -> Theme:
    """Read the theme from a reply.

    Raises:
        Unusable: the reply breaks a rule; the message goes back to the model.
    """
    try:
        answer = _Reply.model_validate(reply)
    except ValidationError as wrong:
        raise of_form(wrong, list(_Reply.model_fields)) from None
    nouns = [concept.class_noun for concept in concepts]
    backgrounds = list(
        dict.fromkeys(_background(background, scenes, nouns, free=free) for background in answer.backgrounds)
    )
    expected = BACKGROUNDS if free else min(BACKGROUNDS, len(scenes))
    if len(backgrounds) < expected:
        kind = "missing" if len(answer.backgrounds) < expected else "doubled"
        raise Unusable(kind, f"{len(backgrounds)} different backgrounds; expected {expected}")
    check_names(list(answer.sizes), [concept.name for concept in concepts])
    return Theme(backgrounds=tuple(backgrounds[:expected]), sizes=_sizes(answer.sizes))


def _background(answer: _Background, scenes: Mapping[str, str], nouns: Sequence[str], *, free: bool) -> tuple[str, str]:
    if answer.scene not in scenes:
        raise Unusable("wrong names", f"no scene is called {quoted(answer.scene)}; they are {', '.join(scenes)}")
    if not free:
        return answer.scene, scenes[answer.scene]
    phrase = " ".join((answer.phrase or "").lower().split())
    if not is_plain(phrase) or not re.fullmatch(r"[a-z][a-z' -]*", phrase) or phrase.split()[0] not in PREPOSITIONS:
        expected = f"2 to {MAX_PHRASE_WORDS} plain words, of which the first is one of {', '.join(PREPOSITIONS)}"
        raise Unusable("phrase", f"{quoted(phrase)} cannot be a phrase; expected {expected}")
    for noun in nouns:
        if re.search(rf"\b{re.escape(noun.lower())}\b", phrase):
            raise Unusable("phrase", f"{quoted(phrase)} names the {noun}, which is not part of the background")
    return answer.scene, phrase


def _sizes(answer: Mapping[str, float]) -> dict[str, float]:
    tallest = max(answer.values())
    for name, size in answer.items():
        if size / tallest < SMALLEST:
            words = f"the size of {name} is {size / tallest:.0%} of the tallest; expected at least {SIZE_RATIOS[0]:.0%}"
            raise Unusable("sizes", words)
    return {name: max(size / tallest, SIZE_RATIOS[0]) for name, size in answer.items()}
