"""Plan every scene before any is made: its concepts, their photos, and the background."""

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

from builder.records import DEFAULT_SIZE, BackgroundRef, Concept, Sample, Size, Theme
from builder.seeds import rng_for
from builder.stages.resolution import Resolution, sizes_of
from mycanvas.errors import ConfigError
from mycanvas.io.config_table import Table
from mycanvas.io.messages import nearest
from mycanvas.io.text import brief, brief_repr
from mycanvas.schema import split_of

COMPOSITIONS = 41
"""Number of compositions in the paper (arXiv 2402.15504, section 3); the maximum to draw if none are listed."""
SCENES_PER_COMPOSITION = 6
"""Minimum scenes of a drawn composition: with fewer samples, fewer compositions are drawn."""
ENUMERATED = 500
"""Maximum number of possible compositions of one size that are all enumerated; of more, this many are sampled."""

MAX_OBJECTS = 5
"""Maximum concepts in one scene (Gen4Gen's largest split)."""
DEFAULT_SAMPLES = 300

Composition = tuple[str, ...]
"""Sorted names of the concepts of one scene."""

Count = Annotated[int, Field(ge=1, le=MAX_OBJECTS)]
Names = Annotated[tuple[str, ...], Field(strict=False)]


class PlanConfig(Table):
    """The settings of the plan; in build.toml they are at the top, outside of any table."""

    samples: Annotated[int, Field(ge=1)] = DEFAULT_SAMPLES
    """Scenes generated in all, spread over the compositions."""
    samples_per_composition: Annotated[int, Field(ge=1)] | None = None
    """Scenes generated for each composition, instead of `samples`."""
    compositions: Annotated[tuple[Names, ...], Field(strict=False)] = ()
    """Which concepts meet, by name, such as [["dog6", "mug"]]; empty: drawn."""
    sizes: Annotated[tuple[Count, ...], Field(min_length=1, strict=False)] = (2, 3, 4, 5)
    """How many concepts a drawn composition may have."""
    resolution: Resolution = DEFAULT_SIZE.width
    """Size of a scene in pixels: side of a square, "<width>x<height>", or a list from which each scene draws one."""
    seed: Annotated[int, Field(ge=0)] = 0
    """Seed of every random draw of the build."""

    @model_validator(mode="after")
    def _one_number_of_samples(self) -> Self:
        if {"samples", "samples_per_composition"} <= self.model_fields_set and self.samples_per_composition:
            raise ValueError("samples and samples_per_composition exclude each other; give one of them")
        return self

    def scene_sizes(self) -> tuple[Size, ...]:
        """The sizes that scenes may have."""
        return sizes_of(self.resolution)


def draw_plan(
    concepts: Sequence[Concept],
    usable: Mapping[str, Sequence[str]],
    backgrounds: Sequence[BackgroundRef],
    config: PlanConfig,
    themes: Mapping[Composition, Theme] | None = None,
) -> tuple[Sample, ...]:
    """Plan every scene of a build. The same arguments give the same plan.

    Args:
        concepts: all concepts that have a usable photo.
        usable: concept name -> ids of its usable photos, at least one.
        backgrounds: all backgrounds, at least one.
        config: compositions, samples, sizes and seed.
        themes: composition -> its backgrounds and the sizes of its objects; without a theme, any background.

    Raises:
        ConfigError: as `choose_compositions`.
    """
    by_name = {concept.name: concept for concept in concepts}
    compositions = choose_compositions(sorted(by_name), config)
    samples: list[Sample] = []
    for composition, count in zip(compositions, _shares(len(compositions), config), strict=True):
        prefix = hashlib.blake2b("+".join(composition).encode(), digest_size=5).hexdigest()
        for index in range(count):
            members = tuple(by_name[name] for name in composition)
            theme = (themes or {}).get(composition)
            samples.append(_draw_sample(f"{prefix}-{index:05d}", members, usable, backgrounds, theme, config))
    return tuple(samples)


def choose_compositions(names: Sequence[str], config: PlanConfig) -> tuple[Composition, ...]:
    """Return the compositions that the configuration lists; if it lists none, draw some.

    Raises:
        ConfigError: as `check_compositions`, or there are too few concepts for `sizes`.
    """
    return check_compositions(config.compositions, names) or _draw_compositions(names, config)


def check_compositions(listed: Sequence[Sequence[str]], known: Sequence[str]) -> tuple[Composition, ...]:
    """Check listed compositions and sort the names in each.

    Raises:
        ConfigError: a composition has too many concepts, an unknown one or the same one twice, or is listed twice.
    """
    checked = [_check_composition(names, known) for names in listed]
    for composition, count in Counter(checked).items():
        if count > 1:
            raise ConfigError(f"composition {'+'.join(composition)} is listed {count} times; list it once")
    return tuple(checked)


def _check_composition(names: Sequence[str], known: Sequence[str]) -> Composition:
    text = brief("+".join(names), 200)
    if not 1 <= len(names) <= MAX_OBJECTS:
        raise ConfigError(f"a composition has 1 to {MAX_OBJECTS} concepts, got {len(names)}: {text}")
    if len(set(names)) < len(names):
        raise ConfigError(f"a composition names each concept once, got {text}")
    for name in names:
        if name not in known:
            raise ConfigError(f"composition {text}: no usable concept {brief_repr(name)}; {nearest(name, known)}")
    return tuple(sorted(names))


def _draw_compositions(names: Sequence[str], config: PlanConfig) -> tuple[Composition, ...]:
    """Draw distinct compositions: splits as equal as possible, and all concepts about equally often."""
    rng = rng_for(config.seed, "plan", "compositions")
    possible = {size: comb(len(names), size) for size in _possible_sizes(len(names), config.sizes)}
    total = min(sum(possible.values()), COMPOSITIONS, max(len(possible), config.samples // SCENES_PER_COMPOSITION))
    if config.samples_per_composition is None:
        total = min(total, config.samples)
    uses: Counter[str] = Counter()
    drawn: set[Composition] = set()
    ordered: list[Composition] = []
    for size in _sizes_in_turn(possible, total):
        new = [members for members in _sample_of_size(names, size, possible[size], rng) if members not in drawn]
        composition = min(new, key=lambda members: sum(uses[name] for name in members))
        drawn.add(composition)
        uses.update(composition)
        ordered.append(composition)
    return tuple(ordered)


def _sample_of_size(names: Sequence[str], size: int, count: int, rng: np.random.Generator) -> list[Composition]:
    """Compositions of one size in random order: all `count` of them, or ENUMERATED random ones if there are more."""
    if count <= ENUMERATED:
        every = list(combinations(names, size))
        return [every[index] for index in rng.permutation(count)]
    draws = [rng.choice(len(names), size=size, replace=False) for _ in range(ENUMERATED)]
    return [tuple(sorted(names[index] for index in draw)) for draw in draws]


def _possible_sizes(available: int, expected: Sequence[int]) -> tuple[int, ...]:
    possible = tuple(sorted({size for size in expected if size <= available}))
    if not possible and available > 1:
        raise ConfigError(
            f"sizes: expected at most {available}, the number of concepts with a usable photo, got {min(expected)}"
        )
    return possible or (1,)


def _sizes_in_turn(possible: Mapping[int, int], total: int) -> list[int]:
    """`total` sizes: alternate between the splits, and in a split between its sizes; each at most `possible` times."""
    by_split: dict[str, list[int]] = {}
    for size in possible:
        by_split.setdefault(split_of(size), []).append(size)
    left, chosen = dict(possible), list[int]()
    turns = cycle([cycle(sizes) for sizes in by_split.values()])
    while len(chosen) < total:
        size = next(next(turns))
        if left[size] > 0:
            left[size] -= 1
            chosen.append(size)
    return chosen


def _shares(compositions: int, config: PlanConfig) -> list[int]:
    """Numbers of scenes of the compositions, in order."""
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
    config: PlanConfig,
) -> Sample:
    rng = rng_for(config.seed, sample_id, "plan")
    photo_ids = tuple(usable[concept.name][int(rng.integers(len(usable[concept.name])))] for concept in members)
    phrases = dict(sorted({background.scene: background.phrase for background in backgrounds}.items()))
    scenes = theme.backgrounds if theme else tuple(phrases.items())
    scene, phrase = scenes[int(rng.integers(len(scenes)))]
    choices = [background for background in backgrounds if background.scene == scene]
    background = replace(choices[int(rng.integers(len(choices)))], phrase=phrase)
    sizes = tuple(theme.sizes[concept.name] for concept in members) if theme else None
    every_size = config.scene_sizes()  # has its own draw, so that the rest of the plan does not depend on it
    return Sample(
        id=sample_id,
        concepts=members,
        photo_ids=photo_ids,
        background=background,
        sizes=sizes,
        picture_size=every_size[int(rng_for(config.seed, sample_id, "resolution").integers(len(every_size)))],
    )
