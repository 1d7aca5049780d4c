"""Outlines as text: the same object in another size is the same, one with a fault is another."""

from __future__ import annotations

import base64
import zlib

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from builder.sources.outlines import MAX_TEXT, SIDE, is_outline, outline_of, overlap, same_outline


def disc(width: int = 900, height: int = 600, radius: float = 0.3) -> NDArray[np.bool_]:
    """A disc in the middle of a photo; radius: as a fraction of its height."""
    rows, columns = np.ogrid[:height, :width]
    found: NDArray[np.bool_] = np.hypot(rows - height / 2, columns - width / 2) < radius * height
    return found


@pytest.mark.parametrize("scale", [0.25, 0.5, 1.37, 2.0])
def test_outline_is_the_same_in_another_size(scale: float) -> None:
    given = disc()
    other = cv2.resize(given.astype(np.float32), None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) >= 0.5

    assert same_outline(outline_of(given), outline_of(other))
    assert len(outline_of(given)) < MAX_TEXT / 4


def test_outline_with_a_strip_of_ground_or_without_a_part_is_another() -> None:
    given = disc()
    ground, part, turned = given.copy(), given.copy(), given[:, ::-1].copy()
    ground[465:500, 270:630] = True
    part[:150] = part[:, :310] = False
    turned[:, :270] = True

    for other in (ground, part, turned, disc(radius=0.28)):
        assert not same_outline(outline_of(given), outline_of(other))


def test_no_object_is_an_outline_of_its_own() -> None:
    assert same_outline(outline_of(None), outline_of(np.zeros((9, 9), bool)))
    assert overlap(outline_of(None), outline_of(disc())) == 0


@pytest.mark.parametrize(
    "text",
    [
        "",
        "é",
        "no base64",
        outline_of(None)[:-8],
        base64.b64encode(zlib.compress(bytes(3))).decode(),
        base64.b64encode(zlib.compress(bytes(SIDE * SIDE // 8 + 1))).decode(),
        base64.b64encode(zlib.compress(bytes(2**30 // 1024))).decode(),
        "A" * (MAX_TEXT + 1),
    ],
)
def test_text_that_is_no_outline_is_refused(text: str) -> None:
    assert not is_outline(text)
    with pytest.raises(ValueError, match=r"outline|base64|ascii|padded|character|Only"):
        overlap(text, outline_of(None))
