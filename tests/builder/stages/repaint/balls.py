"""Canvases with two balls, and a fake inpainting pipeline."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from builder.records import (
    Background,
    BackgroundRef,
    Canvas,
    Concept,
    Cutout,
    Layer,
    Layout,
    Placement,
    Sample,
    Setting,
    size_of,
)
from builder.stages.repaint.diffusion import foreground_of
from mycanvas.models.inpainting import Painting


def ball(index: int, x: int, y: int, side: int = 60) -> Layer:
    """A textured ball with a soft edge."""
    alpha = np.zeros((side, side), np.float32)
    cv2.circle(alpha, (side // 2, side // 2), side // 2 - 4, 1.0, -1)
    alpha = np.clip(cv2.GaussianBlur(alpha, (0, 0), 1.2), 0, 1)
    rgb = np.random.default_rng(index).integers(60, 200, (side, side, 3), dtype=np.uint8)
    return Layer(index=index, x=x, y=y, rgb=rgb, alpha=alpha)


def canvas(sample_id: str = "a", size: int = 136, phrase: str = "in a garden", width: int | None = None) -> Canvas:
    """Two balls, one in front of the other, before noise. 136 is a multiple of 8 and not of 16.

    size: its height, and its width unless that is given.
    """
    width = width or size
    layers = (ball(0, 10, 20), ball(1, 45, 40))
    nouns = ("ball", "dog")
    concepts = tuple(Concept(name=n, token=f"<{n}>", class_noun=n, height_cm=None, photos=()) for n in nouns)
    background = np.random.default_rng(7).integers(90, 220, (size, width, 3), dtype=np.uint8)
    setting = Setting(
        sample=Sample(
            id=sample_id,
            concepts=concepts,
            photo_ids=("p", "q"),
            background=BackgroundRef(scene="garden", phrase=phrase),
        ),
        cutouts=(Cutout(photo_id="p", rgba=np.zeros((1, 1, 4), np.uint8), quality=1),) * 2,
        background=Background(pixels=background, horizon=0.4, ground=0.6),
    )
    places = tuple(Placement(x=layer.x, y=layer.y, width=1, height=1, depth=0) for layer in layers)
    return Canvas(
        layout=Layout(setting=setting, placements=places),
        layers=layers,
        mask=np.zeros((size, width), np.uint8),
        boxes=((0, 0, 1, 1),) * 2,
        visible=(1.0, 1.0),
    )


def original(scene: Canvas) -> NDArray[np.float32]:
    return foreground_of(scene.layers, size_of(scene.mask)).over(
        scene.layout.setting.background.pixels.astype(np.float32)
    )


class FakeInpainter:
    """A fake pipeline that paints one colour and records its paintings."""

    def __init__(self, value: float = 0.5) -> None:
        self.value = value
        self.given: list[Painting] = []

    def paint(self, batch: Sequence[Painting]) -> NDArray[np.float32]:
        self.given += batch
        return np.stack([np.full((*painting.mask.shape, 3), self.value, np.float32) for painting in batch])
