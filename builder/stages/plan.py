"""Plan every scene before any is made: its concepts, their photos, and the background."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, cycle
from math import comb
from typing import Annotated, Self

import numpy as np
from pydantic import Field, model_validator

from builder.records import DEFAULT_SIZE, BackgroundRef, Concept, Sample, Size, Theme
from builder.seeds import draws_for, rng_for
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
    keep: Annotated[int, Field(ge=1)] | None = None
    """Scenes kept at the end, instead of `samples`: as many are generated as that takes."""
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
        # A stored configuration has all keys, and so the default number of samples.
        if self.samples_per_composition is not None and self.samples != DEFAULT_SAMPLES:
            raise ValueError("samples and samples_per_composition exclude each other; give one of them")
        return self

    def first_samples(self) -> int:
        """The number of scenes of the plan's first step, unless `samples_per_composition` decides."""
        return self.keep or self.samples

    def scene_sizes(self) -> tuple[Size, ...]:
        """The sizes that scenes may have."""
        return sizes_of(self.resolution)


@dataclass(frozen=True, kw_only=True, slots=True)
class Share:
    """The scenes of one composition that a step of the plan adds; start: the number of the first one."""

    composition: Composition
    start: int
    count: int


def draw_plan(
    concepts: Sequence[Concept],
    usable: Mapping[str, Sequence[str]],
    backgrounds: Sequence[BackgroundRef],
    config: PlanConfig,
    themes: Mapping[Composition, Theme] | None = None,
) -> tuple[Sample, ...]:
    """Plan every scene of a build that has no plan yet: `draw_scenes` of all that `share_out` gives."""
    shares = share_out([concept.name for concept in concepts], config)
    return tuple(draw_scenes(shares, concepts, usable, backgrounds, config, themes or {}))


def share_out(
    names: Sequence[str], config: PlanConfig, planned: Mapping[Composition, int] | None = None
) -> tuple[Share, ...]:
    """Spread the scenes that a configuration asks for over compositions, as evenly as those planned before allow.

    Compositions that have scenes already get their next numbers; others are drawn for new concepts, and where
    there are more samples.

    Args:
        names: of the concepts that have a usable photo.
        config: compositions, samples, sizes and seed.
        planned: the number of scenes of each composition, in earlier steps of the plan.

    Returns:
        The compositions that get scenes; none if as many were planned before.

    Raises:
        ConfigError: as `check_compositions`, or there are too few concepts for `sizes`.
    """
    planned = planned or {}
    more = config.samples - sum(planned.values())
    if config.samples_per_composition is None and more <= 0:
        return ()
    before = [composition for composition in planned if set(composition) <= set(names)]
    chosen = check_compositions(config.compositions, names) or _draw_compositions(sorted(names), config, before)
    counts = [planned.get(composition, 0) for composition in chosen]
    if config.samples_per_composition is not None:
        added = [max(0, config.samples_per_composition - count) for count in counts]
    else:
        added = _fill(counts, more)
    shares = zip(chosen, counts, added, strict=True)
    return tuple(Share(composition=name, start=start, count=count) for name, start, count in shares if count)


def draw_scenes(
    shares: Iterable[Share],
    concepts: Sequence[Concept],
    usable: Mapping[str, Sequence[str]],
    backgrounds: Sequence[BackgroundRef],
    config: PlanConfig,
    themes: Mapping[Composition, Theme],
) -> Iterator[Sample]:
    """Draw scenes. Each depends on its composition and number, and on what it may show; not on other scenes.

    Args:
        shares: the compositions with the numbers of their scenes.
        concepts: all concepts that have a usable photo.
        usable: concept name -> ids of its usable photos, at least one.
        backgrounds: all backgrounds, at least one.
        config: seed and sizes.
        themes: composition -> its backgrounds and the sizes of its objects; without a theme, any background.
    """
    by_name = {concept.name: concept for concept in concepts}
    by_scene: dict[str, list[BackgroundRef]] = {}
    for background in backgrounds:
        by_scene.setdefault(background.scene, []).append(background)
    phrases = dict(sorted({background.scene: background.phrase for background in backgrounds}.items()))
    for share in shares:
        members = tuple(by_name[name] for name in share.composition)
        theme = themes.get(share.composition)
        draw = _Draw(
            members=members,
            photos=[usable[concept.name] for concept in members],
            backgrounds=[
                [replace(background, phrase=phrase) for background in by_scene[scene]]
                for scene, phrase in (theme.backgrounds if theme else phrases.items())
            ],
            sizes=tuple(theme.sizes[concept.name] for concept in members) if theme else None,
            pictures=config.scene_sizes(),
            seed=config.seed,
        )
        prefix = hashlib.blake2b("+".join(share.composition).encode(), digest_size=5).hexdigest()
        for number in range(share.start, share.start + share.count):
            yield draw.sample(f"{prefix}-{number:05d}")


@dataclass(frozen=True, kw_only=True, slots=True)
class _Draw:
    """The choices for the scenes of one composition.

    photos: of each concept. backgrounds: of each of its places. pictures: the sizes that scenes may have.
    """

    members: tuple[Concept, ...]
    photos: Sequence[Sequence[str]]
    backgrounds: Sequence[Sequence[BackgroundRef]]
    sizes: tuple[float, ...] | None
    pictures: Sequence[Size]
    seed: int

    def sample(self, sample_id: str) -> Sample:
        draws = draws_for(self.seed, sample_id, "plan")  # at most eight: five photos and these three
        picture = self.pictures[next(draws) % len(self.pictures)]
        place = self.backgrounds[next(draws) % len(self.backgrounds)]
        return Sample(
            id=sample_id,
            background=place[next(draws) % len(place)],
            concepts=self.members,
            photo_ids=tuple([photos[next(draws) % len(photos)] for photos in self.photos]),
            sizes=self.sizes,
            picture_size=picture,
        )


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


def _draw_compositions(
    names: Sequence[str], config: PlanConfig, before: Sequence[Composition]
) -> tuple[Composition, ...]:
    """Draw distinct compositions: splits as equal as possible, and all concepts about equally often.

    Those of earlier steps come first and stay; if a concept is in none of them, others are drawn that have it.
    """
    rng = rng_for(config.seed, "plan", f"compositions {len(before)}" if before else "compositions")
    possible = {size: comb(len(names), size) for size in _possible_sizes(len(names), config.sizes)}
    total = min(COMPOSITIONS, max(len(possible), config.samples // SCENES_PER_COMPOSITION))
    if config.samples_per_composition is None:
        total = min(total, config.samples)
    if before:
        new = len(set(names) - {name for members in before for name in members})
        total = max(total, len(before) + -(-COMPOSITIONS * new // len(names)))
    uses = Counter(name for members in before for name in members)
    ordered = list(before)
    left = Counter(possible) - Counter(map(len, before))
    for size in _sizes_in_turn(left, min(left.total(), total - len(before))):
        drawn = set(ordered)
        found = [members for members in _sample_of_size(names, size, possible[size], rng) if members not in drawn]
        if found:
            composition = min(found, key=lambda members: sum(uses[name] for name in members))
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


def _fill(counts: Sequence[int], more: int) -> list[int]:
    """Spread scenes over compositions that have some: the fewer one has, the more it gets, so that all come closest.

    Args:
        counts: the scenes of each composition.
        more: the number of scenes to add.
    """
    fewest = sorted(range(len(counts)), key=counts.__getitem__)
    filled, level = 0, 0
    total = more
    while filled < len(counts) and counts[fewest[filled]] * filled <= total:
        total += counts[fewest[filled]]
        filled += 1
    level, extra = divmod(total, filled)
    added = [0] * len(counts)
    for place, index in enumerate(sorted(fewest[:filled])):
        added[index] = level - counts[index] + (place < extra)
    return added
