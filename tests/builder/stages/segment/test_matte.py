"""Pixels of a cut-out: cropped, scaled and feathered without colours of the background."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from builder.records import Alpha, Rgb
from builder.stages.segment.matte import MARGIN, crop, feather

RED, GREEN = (200, 30, 30), (30, 200, 30)


def disc(side: int = 400) -> tuple[Rgb, Alpha]:
    """A red disc on green, with a hard edge."""
    alpha = np.zeros((side, side), np.float32)
    cv2.circle(alpha, (side // 2, side // 2), side // 3, 1.0, -1)
    return np.where(alpha[..., None] > 0, RED, GREEN).astype(np.uint8), alpha


@pytest.mark.parametrize("side", [90, 400])
def test_colours_of_a_crop_are_the_objects_up_to_its_margin(side: int) -> None:
    cut = crop(*disc(), side)

    opacity = cut[..., 3]
    assert max(cut.shape) <= side
    assert (cut[opacity > 25][:, 1] <= RED[1] + 20).all()
    assert not opacity[:MARGIN].any()
    np.testing.assert_array_equal(cut[0, :, :3], cut[MARGIN, :, :3])
    np.testing.assert_array_equal(cut[:, -1, :3], cut[:, -1 - MARGIN, :3])


def test_feathering_never_makes_a_pixel_more_opaque() -> None:
    cut = crop(*disc(), 400)

    feathered = feather(cut)

    assert (feathered[..., 3] <= cut[..., 3]).all()
    assert ((feathered[..., 3] > 0) & (feathered[..., 3] < 255)).any()
