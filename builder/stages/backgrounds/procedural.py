"""Backgrounds painted without photos: a few variants of each scene, decided by scene name and variant alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from builder.records import Background, BackgroundRef
from builder.seeds import rng_for
from builder.stages.backgrounds import indoors, outdoors

SCENES: Mapping[str, tuple[str, Callable[[np.random.Generator, int], Background]]] = {
    "meadow": ("in a meadow", outdoors.meadow),
    "beach": ("on a sandy beach", outdoors.beach),
    "snow": ("in the snow", outdoors.snow),
    "wooden_table": ("on a wooden table", indoors.wooden_table),
    "kitchen_floor": ("on a tiled kitchen floor", indoors.kitchen_floor),
    "living_room": ("in a living room", indoors.living_room),
    "desert": ("in a desert", outdoors.desert),
    "street": ("on a cobblestone street", outdoors.street),
    "picnic": ("on a picnic blanket", outdoors.picnic),
    "rocky_plain": ("on a rocky plain", outdoors.rocky_plain),
    "autumn": ("on autumn leaves", outdoors.autumn),
    "jetty": ("on a wooden jetty", outdoors.jetty),
}
"""Each scene's phrase and painter."""

VARIANTS = 4
"""Variants of each scene; all variants of all scenes together fit the cache of `BackgroundSource`."""


def procedural_backgrounds() -> tuple[BackgroundRef, ...]:
    """Every variant of every procedural scene."""
    return tuple(
        BackgroundRef(scene=scene, phrase=phrase, variant=variant)
        for scene, (phrase, _) in SCENES.items()
        for variant in range(VARIANTS)
    )


def paint_scene(ref: BackgroundRef) -> Background:
    """Paint a procedural background, `picture.SIZE` pixels square. The same scene and variant give the same bytes."""
    _, painter = SCENES[ref.scene]
    return painter(rng_for(0, f"{ref.scene}/{ref.variant}", "background"), ref.variant)
