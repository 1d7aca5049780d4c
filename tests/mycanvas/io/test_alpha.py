"""Alpha: which shapes are objects on nothing, and which are photos with transparent parts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from mycanvas.io.alpha import cutout_flaw, visible_alpha

Shape = NDArray[Any]
WIDTH, HEIGHT = 640, 480
Y, X = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)


def polygon(*corners: tuple[float, float]) -> Shape:
    canvas = np.zeros((HEIGHT, WIDTH), np.uint8)
    cv2.fillPoly(canvas, [np.array(corners).round().astype(np.int32)], 255, lineType=cv2.LINE_AA)
    return canvas


def disk(x: float, y: float, radius: float) -> Shape:
    return np.where((X - x) ** 2 + (Y - y) ** 2 < radius**2, 255, 0)


def tight(shape: Shape) -> Shape:
    rows, columns = np.flatnonzero(shape.any(axis=1)), np.flatnonzero(shape.any(axis=0))
    return shape[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def can(tilt: float) -> Shape:
    """A can, cropped to its outline; tilt: height of its elliptic ends."""
    body = polygon((220, 100), (420, 100), (420, 400), (220, 400))
    for y in (100, 400):
        cv2.ellipse(body, (320, y), (100, round(200 * tilt / 2)), 0, 0, 360, 255, cv2.FILLED)
    return tight(body)


def mug() -> Shape:
    handle = disk(440, 240, 90) - disk(440, 240, 60)
    return np.maximum(polygon((220, 80), (440, 80), (430, 400), (230, 400)), handle)


def bear() -> Shape:
    return np.maximum.reduce([disk(320, 300, 170), disk(320, 150, 110), disk(230, 70, 50), disk(410, 70, 50)])


def soft(shape: Shape, sigma: float) -> Shape:
    return cv2.GaussianBlur(shape.astype(np.float32), (0, 0), sigma)


def shifted(shape: Shape, x: int, y: int) -> Shape:
    return cv2.warpAffine(shape.astype(np.float32), np.float32([[1, 0, x], [0, 1, y]]), (WIDTH, HEIGHT))


def turned(degrees: float, *, expand: bool = True) -> Shape:
    whole = Image.new("RGBA", (WIDTH, HEIGHT), "red")
    return np.asarray(whole.rotate(degrees, Image.Resampling.BICUBIC, expand=expand).getchannel("A"))


def bordered(border: int, corner: int = 0) -> Shape:
    inside = np.zeros((HEIGHT, WIDTH), np.float32)
    cv2.rectangle(inside, (border + corner, border), (WIDTH - border - corner, HEIGHT - border), 255, cv2.FILLED)
    cv2.rectangle(inside, (border, border + corner), (WIDTH - border, HEIGHT - border - corner), 255, cv2.FILLED)
    for x in (border + corner, WIDTH - border - corner):
        for y in (border + corner, HEIGHT - border - corner):
            cv2.circle(inside, (x, y), corner, 255, cv2.FILLED)
    return inside


def flaw(shape: Shape) -> str | None:
    rgba = np.full((*shape.shape, 4), 200, np.uint8)
    rgba[..., 3] = np.clip(shape, 0, 255)
    alpha = visible_alpha(Image.fromarray(rgba))
    assert alpha is not None
    return cutout_flaw(alpha)


OBJECTS: dict[str, Callable[[], Shape]] = {
    "with a hole": mug,
    "cropped, with a hole": lambda: tight(mug()),
    "in a corner": lambda: shifted(bear(), -200, -120),
    "cut off below": lambda: shifted(bear(), 0, 150),
    "touches three sides": lambda: tight(bear())[:300],
    "soft edge": lambda: soft(bear(), 12),
    "ragged edge": lambda: np.where(soft(bear() + 120 * np.sin(X / 3) * np.sin(Y / 4), 3) > 128, 255, 0),
    "drop shadow": lambda: np.maximum(bear(), 0.5 * soft(shifted(bear(), 30, 20), 15)),
    "two parts": lambda: np.maximum(disk(160, 240, 120), disk(480, 240, 120)),
    "round, cropped": lambda: tight(disk(320, 240, 200)),
    "can": lambda: can(0.2),
    "can seen almost from the side": lambda: can(0.14),
    "box from a corner, cropped": lambda: tight(
        polygon((320, 40), (480, 110), (480, 350), (320, 430), (160, 350), (160, 110))
    ),
    "pyramid": lambda: tight(polygon((320, 40), (560, 440), (80, 440))),
    "book with room around it": lambda: polygon((220, 60), (430, 80), (420, 420), (210, 400)),
    "traces of a matte all around": lambda: bear() + 6,
    "thin": lambda: polygon((20, 225), (620, 230), (620, 250), (20, 255)),
}
PHOTOS: dict[str, Callable[[], Shape]] = {
    "straightened": lambda: turned(2),
    "straightened the other way": lambda: turned(-7),
    "straightened within its size": lambda: turned(3, expand=False),
    "bordered": lambda: bordered(25),
    "bordered, with round corners": lambda: bordered(20, corner=30),
    "bordered, soft": lambda: soft(bordered(30), 6),
    "border at one side": lambda: np.where(X < 40, 0, 255),
    "corrected in perspective": lambda: polygon((60, 0), (580, 0), (640, 480), (0, 480)),
    "corrected in perspective both ways": lambda: polygon((40, 20), (600, 0), (639, 479), (0, 440)),
    "a hole in it": lambda: 255 - disk(300, 250, 80),
    "a corner erased": lambda: 255 - disk(640, 480, 150),
    "a strip of its edge erased": lambda: np.where((Y > 400) & (X > 100) & (X < 400), 0, 255),
    "faint": lambda: np.full((HEIGHT, WIDTH), 60),
    "faint, with a hole": lambda: np.where(disk(300, 250, 80) > 0, 0, 100),
    "fades out": lambda: 255 * X / WIDTH,
    "half transparent object": lambda: bear() * 0.4,
}


@pytest.mark.parametrize("name", OBJECTS)
def test_object_on_nothing_is_a_cutout(name: str) -> None:
    assert flaw(OBJECTS[name]()) is None


@pytest.mark.parametrize("name", PHOTOS)
def test_photo_with_transparent_parts_is_no_cutout(name: str) -> None:
    assert flaw(PHOTOS[name]())


def test_verdict_is_the_same_at_any_size() -> None:
    for factor in (1, 4):
        size = (WIDTH * factor, HEIGHT * factor)
        assert flaw(cv2.resize(mug().astype(np.float32), size)) is None
        assert flaw(cv2.resize(turned(2).astype(np.float32), size))
