"""Backgrounds without photos: every scene in a few variants, painted from its name and number alone."""

from __future__ import annotations

from builder.backgrounds.scenes import SCENES
from builder.records import Background, BackgroundRef
from builder.seeds import rng_for

VARIANTS = 4
"""Of each scene; all of them together fit the cache of `BackgroundSource`."""


def procedural_backgrounds() -> tuple[BackgroundRef, ...]:
    """Every variant of every procedural scene."""
    return tuple(
        BackgroundRef(scene=scene, phrase=phrase, variant=variant)
        for scene, (phrase, _) in SCENES.items()
        for variant in range(VARIANTS)
    )


def paint_scene(ref: BackgroundRef) -> Background:
    """Paint a procedural background, `scenes.SIZE` pixels square. The same scene and variant give the same bytes."""
    _, painter = SCENES[ref.scene]
    return painter(rng_for(0, f"{ref.scene}/{ref.variant}", "background"))
