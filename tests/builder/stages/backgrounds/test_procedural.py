from __future__ import annotations

from collections import Counter
from functools import cache

import numpy as np
import pytest

from builder.records import Background, BackgroundRef
from builder.stages.backgrounds.picture import SIZE
from builder.stages.backgrounds.procedural import SCENES, paint_scene, procedural_backgrounds


@cache
def painted(scene: str) -> Background:
    """The scene's first variant; cached, because painting takes half a second."""
    return paint_scene(BackgroundRef(scene=scene, phrase=""))


def test_there_are_at_least_eight_scenes_in_several_variants() -> None:
    variants = Counter(ref.scene for ref in procedural_backgrounds())

    assert len(variants) >= 8
    assert min(variants.values()) >= 3


def test_every_scene_has_its_own_phrase() -> None:
    phrases = {ref.scene: ref.phrase for ref in procedural_backgrounds()}

    assert len(set(phrases.values())) == len(phrases)
    assert {"in a meadow", "on a wooden table", "in the snow"} <= set(phrases.values())


@pytest.mark.parametrize("scene", SCENES)
def test_scene_has_the_expected_size_and_enough_ground(scene: str) -> None:
    background = painted(scene)

    assert background.pixels.shape == (SIZE, SIZE, 3)
    assert background.pixels.dtype == np.uint8
    assert 0 <= background.horizon < background.ground <= 0.75
    ground = background.pixels[round(background.ground * SIZE) :]
    assert 40 < ground.mean() < 245, "objects must stand out from a ground neither black nor white"
    assert ground.mean(axis=2).std() > 4, "ground without texture looks unreal"


def test_same_variant_gives_the_same_pixels_and_another_does_not() -> None:
    first = painted("snow").pixels
    again, other = (paint_scene(BackgroundRef(scene="snow", phrase="", variant=v)).pixels for v in (0, 1))

    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_snow_is_white_and_a_meadow_is_green() -> None:
    snow, meadow = (painted(scene).pixels[-300:] for scene in ("snow", "meadow"))

    assert snow.min(axis=2).mean() > 150
    assert (meadow.argmax(axis=2) == 1).mean() > 0.8
