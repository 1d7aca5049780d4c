"""The paper's protocol: prompts with backgrounds that training has not seen.

Prompts are JSON Lines with the keys of KEYS. The same file is the manifest of the pictures that are generated from
them; mycanvas/metrics/manifest.py reads both.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from operator import attrgetter

from mycanvas.dataset import Concept, Dataset, concepts_of
from mycanvas.english import listed, with_token
from mycanvas.errors import InputError
from mycanvas.metrics.pictures import Picture
from mycanvas.prompts import composition_token

KEYS = ("file", "composition", "prompt", "background")
"""file: relative to the manifest's folder. composition: "cat2+dog6". background: optional."""

PER_COMPOSITION = 6
"""41 compositions with 6 prompts each are the paper's 246 pictures (section 4.1)."""

BACKGROUNDS = (
    *("on a surfboard in the sea", "in front of the Eiffel Tower", "in a library", "on a train", "in a flower shop"),
    *("on a frozen lake", "under a waterfall", "in a spaceship", "on a rooftop at night", "in a bamboo forest"),
    *("in a museum hall", "on a football pitch", "in a swimming pool", "at a night market", "on a mountain top"),
    *("in a greenhouse", "on a theatre stage", "in a canoe on a river", "beside a campfire", "in a laundry room"),
)
"""Backgrounds that none of this package's own scenes has; those that a dataset's scenes have are skipped."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Prompt:
    """A prompt to generate a picture from, and the name of the picture's file."""

    file: str
    composition: str
    prompt: str
    background: str | None = None


def unseen_prompts(dataset: Dataset, count: int = PER_COMPOSITION) -> tuple[Prompt, ...]:
    """`count` prompts for each composition of a dataset, with backgrounds that none of its scenes has.

    Backgrounds are assigned in rotation, so that all are used; the same dataset gives the same prompts.

    Raises:
        InputError: there are fewer than `count` unseen backgrounds, or the dataset cannot be read.
    """
    compositions, seen = _scan(dataset)
    unseen = [background for background in BACKGROUNDS if background not in seen]
    if not 1 <= count <= len(unseen):
        raise InputError(
            f"--per-composition must be from 1 to {len(unseen)}, "
            f"the number of backgrounds that no scene has, got {count}"
        )
    prompts = []
    for number, concepts in enumerate(compositions):
        name = "+".join(concept.name for concept in concepts)
        for index in range(count):
            background = unseen[(number * count + index) % len(unseen)]
            prompts.append(
                Prompt(
                    file=f"{number:03d}-{index}.png",
                    composition=name,
                    prompt=f"{listed([_with_token(concept) for concept in concepts])} {background}",
                    background=background,
                )
            )
    return tuple(prompts)


def as_lines(prompts: Sequence[Prompt]) -> str:
    """Prompts as JSON Lines."""
    rows = ({key: getattr(prompt, key) for key in KEYS} for prompt in prompts)
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def follow(prompts: Sequence[Prompt], pictures: Sequence[Picture], name: str) -> tuple[Picture, ...]:
    """Match pictures with the prompts they were generated from, and give them the prompts' backgrounds.

    Args:
        prompts: of the protocol.
        pictures: generated from them.
        name: the arm's name, for messages.

    Raises:
        InputError: a prompt has no picture, or a picture no prompt.
    """

    def key(one: Prompt | Picture) -> tuple[str, str]:
        return "+".join(sorted(one.composition.split("+"))), one.prompt

    expected = {key(prompt): prompt for prompt in prompts}
    generated = {key(picture) for picture in pictures}
    missing = [prompt for each, prompt in expected.items() if each not in generated]
    if missing:
        first = f"{missing[0].composition}: {missing[0].prompt!r}"
        raise InputError(f"{name}: {len(missing)} of {len(expected)} prompts have no picture; the first is {first}")
    foreign = next((picture for picture in pictures if key(picture) not in expected), None)
    if foreign:
        raise InputError(f"{name}: {foreign.id} was made from a prompt that is not among those given")
    return tuple(
        replace(picture, background=picture.background or expected[key(picture)].background) for picture in pictures
    )


def without_tokens(picture: Picture) -> str:
    """A picture's prompt without its tokens: "photo of <cat2+dog6>: a <cat2> cat" -> "photo of a cat"."""
    text = picture.prompt.replace(f"{composition_token(picture.composition)}:", " ")
    for concept in picture.concepts:
        text = text.replace(concept.token, " ")
    return re.sub(r"\s+", " ", text).strip()


def _scan(dataset: Dataset) -> tuple[list[tuple[Concept, ...]], set[str]]:
    """The compositions of a dataset, each as its concepts sorted by name, and the backgrounds of its scenes."""
    by_token = {concept.token: concept for concept in dataset.concepts(with_photos=False).values()}
    compositions: dict[tuple[str, ...], tuple[Concept, ...]] = {}
    backgrounds = set()
    for scene in dataset.scenes():
        concepts = sorted(concepts_of(scene, by_token, dataset.place), key=attrgetter("name"))
        compositions[tuple(concept.name for concept in concepts)] = tuple(concepts)
        backgrounds.add(scene.background)
    return [compositions[names] for names in sorted(compositions)], backgrounds


def _with_token(concept: Concept) -> str:
    """A concept as prompts name it: "an <owl> owl", "a pair of <g> glasses"."""
    return with_token(concept.class_name, concept.token)
