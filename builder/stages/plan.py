"""Which concepts meet in which scene, on which background, from which photos: all decided before any scene is made."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import combinations, cycle
from math import comb
from typing import Annotated, Self

import numpy as np
from pydantic import Field, model_validator

from builder.records import BackgroundRef, Concept, Sample, Theme
from builder.seeds import rng_for
from mycanvas.errors import ConfigError
from mycanvas.io.config_table import Table
from mycanvas.io.messages import nearest
from mycanvas.schema import split_of

COMPOSITIONS = 41
"""How many compositions the paper made (arXiv 2402.15504, section 3); the most that are drawn when none are listed."""
SCENES_PER_COMPOSITION = 6
"""The fewest scenes that a drawn composition is worth."""
ENUMERATED = 500
"""Up to so many possible compositions of one size are all looked at when one is drawn."""

MAX_OBJECTS = 5
"""The most concepts that meet in one scene (Gen4Gen's largest split)."""
DEFAULT_SAMPLES = 300

Composition = tuple[str, ...]
"""Names of the concepts that meet, sorted."""

Size = Annotated[int, Field(ge=1, le=MAX_OBJECTS)]
Names = Annotated[tuple[str, ...], Field(strict=False)]


class PlanConfig(Table):
    """The settings of the plan; in build.toml they are at the top, outside of any table."""

    samples: Annotated[int, Field(ge=1)] = DEFAULT_SAMPLES
    """Scenes generated in all, spread over the compositions."""
    samples_per_composition: Annotated[int, Field(ge=1)] | None = None
    """Scenes generated for each composition, instead of `samples`."""
    compositions: Annotated[tuple[Names, ...], Field(strict=False)] = ()
    """Which concepts meet, by name, such as [["dog6", "mug"]]; empty: drawn."""
    sizes: Annotated[tuple[Size, ...], Field(min_length=1, strict=False)] = (2, 3, 4, 5)
    """How many concepts a drawn composition may have."""
    seed: Annotated[int, Field(ge=0)] = 0
    """Seed of every random draw of the build."""

    @model_validator(mode="after")
    def _one_number_of_samples(self) -> Self:
        if {"samples", "samples_per_composition"} <= self.model_fields_set and self.samples_per_composition:
            raise ValueError("samples and samples_per_composition exclude each other; give one of them")
        return self


def draw_plan(
    concepts: Sequence[Concept],
    usable: Mapping[str, Sequence[str]],
    backgrounds: Sequence[BackgroundRef],
    config: PlanConfig,
    themes: Mapping[Composition, Theme] | None = None,
) -> tuple[Sample, ...]:
    """Decide every scene of a build. The same arguments give the same plan.

    Args:
        concepts: all that may appear; those without a usable photo must be left out by the caller.
        usable: for each concept's name, the ids of the photos that may be used, at least one.
        backgrounds: where scenes may take place, at least one.
        config: compositions, samples, sizes and seed.
        themes: where some compositions are seen, and how large their things are; the others' scenes are drawn.

    Raises:
        ConfigError: a listed composition is too large, repeats itself or names a concept that is not there.
    """
    by_name = {concept.name: concept for concept in concepts}
    compositions = choose_compositions(sorted(by_name), config)
    samples: list[Sample] = []
    for composition, count in zip(compositions, _shares(len(compositions), config), strict=True):
        prefix = hashlib.blake2b("+".join(composition).encode(), digest_size=5).hexdigest()
        for index in range(count):
            members = tuple(by_name[name] for name in composition)
            theme = (themes or {}).get(composition)
            samples.append(_draw_sample(f"{prefix}-{index:05d}", members, usable, backgrounds, theme, config.seed))
    return tuple(samples)


def choose_compositions(names: Sequence[str], config: PlanConfig) -> tuple[Composition, ...]:
    """Those that the configuration lists; without a list, drawn ones.

    Raises:
        ConfigError: as `check_compositions`.
    """
    return check_compositions(config.compositions, names) or _draw_compositions(names, config)


def check_compositions(listed: Sequence[Sequence[str]], known: Sequence[str]) -> tuple[Composition, ...]:
    """The compositions that the configuration lists, each of known concepts and listed once.

    Raises:
        ConfigError: naming the one that is not.
    """
    checked = [_checked(names, known) for names in listed]
    for composition, count in Counter(checked).items():
        if count > 1:
            raise ConfigError(f"composition {'+'.join(composition)} is listed {count} times; list it once")
    return tuple(checked)


def _checked(names: Sequence[str], known: Sequence[str]) -> Composition:
    text = "+".join(names)
    if not 1 <= len(names) <= MAX_OBJECTS:
        raise ConfigError(f"a composition has 1 to {MAX_OBJECTS} concepts, got {len(names)}: {text}")
    if len(set(names)) < len(names):
        raise ConfigError(f"a composition names each concept once, got {text}")
    for name in names:
        if name not in known:
            raise ConfigError(f"composition {text}: no usable concept {name!r}; {nearest(name, known)}")
    return tuple(sorted(names))


def _draw_compositions(names: Sequence[str], config: PlanConfig) -> tuple[Composition, ...]:
    """Distinct compositions, as many of each split as possible, each concept about as often as any other."""
    rng = rng_for(config.seed, "plan", "compositions")
    room = {size: comb(len(names), size) for size in _possible_sizes(len(names), config.sizes)}
    total = min(sum(room.values()), COMPOSITIONS, max(len(room), config.samples // SCENES_PER_COMPOSITION))
    if config.samples_per_composition is None:
        total = min(total, config.samples)
    uses: Counter[str] = Counter()
    drawn: set[Composition] = set()
    ordered: list[Composition] = []
    for size in _sizes_in_turn(room, total):
        unseen = [members for members in _some_of(names, size, room[size], rng) if members not in drawn]
        composition = min(unseen, key=lambda members: sum(uses[name] for name in members))
        drawn.add(composition)
        uses.update(composition)
        ordered.append(composition)
    return tuple(ordered)


def _some_of(names: Sequence[str], size: int, count: int, rng: np.random.Generator) -> list[Composition]:
    """Compositions in random order: all of this size if they are few, else many more than are ever drawn."""
    if count <= ENUMERATED:
        every = list(combinations(names, size))
        return [every[index] for index in rng.permutation(count)]
    draws = [rng.choice(len(names), size=size, replace=False) for _ in range(ENUMERATED)]
    return [tuple(sorted(names[index] for index in draw)) for draw in draws]


def _possible_sizes(available: int, expected: Sequence[int]) -> tuple[int, ...]:
    possible = tuple(sorted({size for size in expected if size <= available}))
    if not possible and available > 1:
        raise ConfigError(f"sizes asks for {min(expected)} concepts in a scene; only {available} have a usable photo")
    return possible or (1,)


def _sizes_in_turn(room: Mapping[int, int], total: int) -> list[int]:
    """`total` sizes: the splits in turn, the sizes of a split in turn, never more of one than there is room for."""
    by_split: dict[str, list[int]] = {}
    for size in room:
        by_split.setdefault(split_of(size), []).append(size)
    left, chosen = dict(room), list[int]()
    turns = cycle([cycle(sizes) for sizes in by_split.values()])
    while len(chosen) < total:
        size = next(next(turns))
        if left[size] > 0:
            left[size] -= 1
            chosen.append(size)
    return chosen


def _shares(compositions: int, config: PlanConfig) -> list[int]:
    if config.samples_per_composition is not None:
        return [config.samples_per_composition] * compositions
    each, extra = divmod(config.samples, compositions)
    return [each + (index < extra) for index in range(compositions)]


def _draw_sample(
    sample_id: str,
    members: tuple[Concept, ...],
    usable: Mapping[str, Sequence[str]],
    backgrounds: Sequence[BackgroundRef],
    theme: Theme | None,
    seed: int,
) -> Sample:
    rng = rng_for(seed, sample_id, "plan")
    photo_ids = tuple(usable[concept.name][int(rng.integers(len(usable[concept.name])))] for concept in members)
    phrases = dict(sorted({background.scene: background.phrase for background in backgrounds}.items()))
    scenes = theme.backgrounds if theme else tuple(phrases.items())
    scene, phrase = scenes[int(rng.integers(len(scenes)))]
    choices = [background for background in backgrounds if background.scene == scene]
    background = replace(choices[int(rng.integers(len(choices)))], phrase=phrase)
    sizes = tuple(theme.sizes[concept.name] for concept in members) if theme else None
    return Sample(id=sample_id, concepts=members, photo_ids=photo_ids, background=background, sizes=sizes)
