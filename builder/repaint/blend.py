"""Blending without a model: matched colours, shadows on the ground, and one alpha merge.

Gradient-domain (Poisson) blending is left out on purpose: it pulls the background's colours into the object, and with
them goes what makes it this object and no other.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from builder.config import RepaintConfig
from builder.records import Canvas, Layer, Rgb
from builder.repaint.shadow import cast_shadows, draw_light
from builder.seeds import rng_for

# Reinhard et al. 2001, "Color Transfer between Images", moves an object's Lab statistics to those of its surroundings.
# Here only a share of the way, and never further than an object's own colours would bear:
MEAN_SHARE = (0.6, 0.35, 0.35)
"""Share of the gap between the means of L, a and b that is closed at full strength."""
MEAN_LIMIT = (22.0, 8.0, 8.0)
"""The furthest that L, a and b move, of 255 levels."""
CONTRAST_POWER = 0.5
CONTRAST_LIMITS = (0.85, 1.15)
"""The spread of L is multiplied by (background's / object's) ** CONTRAST_POWER at full strength, within these."""

SURROUNDINGS = 0.35
"""How far around an object its background is looked at, as a share of the object's longer side."""

SAMPLE_STEP = 4
"""Colour statistics are taken from every fourth pixel each way."""


class Blend:
    """Lays objects into their background: colours harmonised, shadows cast, edges merged."""

    def __init__(self, config: RepaintConfig) -> None:
        self._config = config

    def repaint(self, canvases: Sequence[Canvas], seed: int) -> Iterator[Rgb]:
        """One picture per canvas. The light's direction is drawn once per scene."""
        for canvas in canvases:
            yield self._paint(canvas, rng_for(seed, canvas.layout.setting.sample.id, "repaint"))

    def _paint(self, canvas: Canvas, rng: np.random.Generator) -> Rgb:
        background = canvas.layout.setting.background.pixels
        picture = background.copy()
        if self._config.shadow:
            cast_shadows(picture, canvas.layers, draw_light(rng), self._config.shadow)
        for layer in canvas.layers:
            rgb = harmonised(layer, background, self._config.harmonise) if self._config.harmonise else layer.rgb
            _merge(picture, layer, rgb)
        return picture


def harmonised(layer: Layer, background: Rgb, strength: float) -> Rgb:
    """The layer's colours, moved a part of the way to those of the background around it.

    Args:
        layer: the object where it stands.
        background: uint8 [S, S, 3].
        strength: 0 (not at all) to 1.
    """
    height, width = layer.alpha.shape
    margin = int(SURROUNDINGS * max(height, width))
    around = background[
        max(0, layer.y - margin) : layer.y + height + margin, max(0, layer.x - margin) : layer.x + width + margin
    ]
    around_lab = _lab_sample(around).reshape(-1, 3)
    solid = layer.alpha[::SAMPLE_STEP, ::SAMPLE_STEP] > 0.8
    if not solid.any():
        return layer.rgb
    own_lab = _lab_sample(layer.rgb)[solid]

    gap = around_lab.mean(axis=0) - own_lab.mean(axis=0)
    shift = np.clip(strength * np.array(MEAN_SHARE) * gap, -np.array(MEAN_LIMIT), MEAN_LIMIT)
    spread = (around_lab[:, 0].std() + 1) / (own_lab[:, 0].std() + 1)
    gain = np.array([np.clip(spread ** (strength * CONTRAST_POWER), *CONTRAST_LIMITS), 1.0, 1.0])

    levels = np.arange(256, dtype=np.float64)[:, None]
    mean = own_lab.mean(axis=0)
    table = np.clip(np.rint((levels - mean) * gain + mean + shift), 0, 255).astype(np.uint8)
    lab = cv2.cvtColor(layer.rgb, cv2.COLOR_RGB2LAB)
    return np.asarray(cv2.cvtColor(cv2.LUT(lab, table[None]), cv2.COLOR_LAB2RGB), np.uint8)


def _lab_sample(rgb: Rgb) -> NDArray[np.float64]:
    sample = np.ascontiguousarray(rgb[::SAMPLE_STEP, ::SAMPLE_STEP])
    return np.asarray(cv2.cvtColor(sample, cv2.COLOR_RGB2LAB), np.float64)


def _merge(picture: Rgb, layer: Layer, rgb: Rgb) -> None:
    """Lay the object over the picture in place: rgb * alpha + picture * (1 - alpha)."""
    height, width = layer.alpha.shape
    region = picture[layer.y : layer.y + height, layer.x : layer.x + width]
    region[:] = cv2.blendLinear(rgb, np.ascontiguousarray(region), layer.alpha, 1 - layer.alpha)
