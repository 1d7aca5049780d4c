"""Shadows around one block: away from the light, and around its foot."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from builder.records import Layer
from builder.stages.repaint.shadow import Light, cast_shadows

LEFT, RIGHT, BASE = 98, 158, 170
"""The block's sides, and the row below its lowest."""


def darkening(lean: float) -> NDArray[np.int64]:
    """How many of 200 grey levels each pixel of the ground loses."""
    ground = np.full((256, 256, 3), 200, np.uint8)
    height, width = 80, RIGHT - LEFT
    block = Layer(
        index=0,
        x=LEFT,
        y=BASE - height,
        rgb=np.zeros((height, width, 3), np.uint8),
        alpha=np.ones((height, width), np.float32),
    )
    cast_shadows(ground, [block], Light(lean=lean, reach=0.15), strength=0.8)
    return 200 - ground[..., 0].astype(np.int64)


@pytest.mark.parametrize("lean", [0.6, -0.6])
def test_shadow_falls_to_the_side_of_the_lean(lean: float) -> None:
    dark = darkening(lean)
    left, right = dark[:, :LEFT].sum(), dark[:, RIGHT:].sum()

    assert (right > 1.5 * left) == (lean > 0)
    assert (left > 1.5 * right) == (lean < 0)


def test_ground_around_the_foot_is_dark_on_the_lit_side_too() -> None:
    dark = darkening(0.6)

    assert dark[BASE - 10, LEFT - 4] > 60
    assert dark[BASE - 10, LEFT - 12] > 15
    assert dark[BASE - 60, LEFT - 12] < 5
