"""Blending without a model: matched colours, shadows on the ground, and one alpha merge.

Gradient-domain (Poisson) blending is not used on purpose: it pulls the background's colours into the object and changes
the object's identity.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Self, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from builder.records import Alpha, Canvas, Layer, Rgb, Rgba
from builder.seeds import rng_for
from builder.stages.repaint.base import Repainter
from builder.stages.repaint.shadow import cast_shadows, draw_light, ground_light
from mycanvas.io.config_table import Fraction, Table
from mycanvas.io.layers import PictureLayer
from mycanvas.models.runtime import Runtime

Lab = NDArray[np.float32]
"""float32 [..., 3]: L* in 0 to 100, a* and b* about -127 to 127 (CIE 1976)."""

Pixel = TypeVar("Pixel", np.uint8, np.float32)

# Reinhard et al. 2001, "Color Transfer between Images", moves an object's Lab statistics to those of its surroundings.
# Here they are moved by a fraction only, and by limited amounts, to keep the object's identity:
MEAN_SHARE = np.array([0.6, 0.35, 0.35])
"""Fraction of the gap between the means of L*, a* and b* that is closed at full strength."""
MEAN_LIMIT = np.array([8.6, 8.0, 8.0])
"""The largest shift of L*, a* and b*."""
CONTRAST_POWER = 0.5
CONTRAST_LIMITS = (0.85, 1.15)
"""The spread of L* is multiplied by (background's / object's) ** CONTRAST_POWER at full strength, within these."""

SURROUNDINGS = 0.35
"""Margin around an object in which its background is measured, as a fraction of the object's longer side."""

SAMPLE_STEP = 8
"""Colour statistics are taken from every eighth row and column."""

RIDGE = 1e-3
"""Variance (of colours in 0 to 1) below which a colour direction varies too little to fit more than a shift."""


class BlendConfig(Table):
    """[repaint.blend]: blending without a model."""

    harmonise: Fraction = 0.45
    """How far the colours of an object move towards the background's."""
    shadow: Fraction = 0.55
    """How dark contact shadows are."""


class Blend(Repainter):
    """Blends objects into their background: harmonises colours, casts shadows, merges edges."""

    Config = BlendConfig

    def __init__(self, config: BlendConfig) -> None:
        self._config = config

    @classmethod
    def load(cls, config: BlendConfig, runtime: Runtime) -> Self:  # noqa: ARG003
        """Make the backend; it runs no model."""
        return cls(config)

    def repaint(self, canvases: Sequence[Canvas], seed: int) -> Iterator[Rgb]:
        """One picture per canvas. The light's direction is drawn once per scene."""
        for canvas in canvases:
            yield self._paint(canvas, rng_for(seed, canvas.layout.setting.sample.id, "repaint"))

    def _paint(self, canvas: Canvas, rng: np.random.Generator) -> Rgb:
        picture = canvas.layout.setting.background.pixels.copy()
        if self._config.shadow:
            cast_shadows(picture, canvas.layers, draw_light(rng), self._config.shadow)
        for layer, rgb in _coloured(canvas, self._config):
            _merge(picture, layer, rgb)
        return picture

    @staticmethod
    def layers(config: BlendConfig, canvas: Canvas, picture: Rgb, seed: int) -> tuple[PictureLayer, ...]:  # noqa: ARG004
        """The layers that were blended, which follow from the canvas and the seed; `picture` is not needed.

        Alphas have 8 bits in the merge too, so only rounding separates the layers from the picture before its encoding.
        """
        background = canvas.layout.setting.background.pixels
        layers = [PictureLayer(kind="background", rgba=_with_alpha(background, np.float32(1)))]
        if config.shadow:
            light = draw_light(rng_for(seed, canvas.layout.setting.sample.id, "repaint"))
            top, passing = ground_light(background.shape[:2], canvas.layers, light, config.shadow)
            shadow = np.zeros((*background.shape[:2], 4), np.uint8)
            shadow[top : top + passing.shape[0], :, 3] = 255 - passing
            layers.append(PictureLayer(kind="shadow", rgba=shadow))
        for layer, rgb in _coloured(canvas, config):
            rgba = _with_alpha(rgb, layer.alpha)
            layers.append(PictureLayer(kind="object", index=layer.index, x=layer.x, y=layer.y, rgba=rgba))
        return tuple(layers)


def _coloured(canvas: Canvas, config: BlendConfig) -> Iterator[tuple[Layer, Rgb]]:
    """Each layer with the colours that it has in the picture, back to front."""
    around = _lab(_sample(canvas.layout.setting.background.pixels)) if config.harmonise else None
    for layer in canvas.layers:
        yield layer, layer.rgb if around is None else _harmonised(layer, around, config.harmonise)


def _with_alpha(rgb: Rgb, alpha: Alpha | np.float32) -> Rgba:
    """Join colours and an alpha in 0 to 1, in the 8 bits in which `_merge` uses it."""
    whole = np.broadcast_to(np.asarray(alpha, np.float32), rgb.shape[:2])
    return np.dstack([rgb, cv2.convertScaleAbs(np.ascontiguousarray(whole), alpha=255)])


def _harmonised(layer: Layer, background: Lab, strength: float) -> Rgb:
    """Move the layer's colours part of the way to those of the background around it.

    The transfer is computed in Lab for a sample of the object's pixels; the nearest affine map of RGB
    is then applied to all pixels, which is faster than a round trip through Lab and adds no rounding steps.
    """
    colours = _sample(layer.rgb)[_sample(layer.alpha) > 0.8]
    if not colours.size:
        return layer.rgb
    lab = _lab(colours[None])
    mean, deviation = _moments(lab)
    mean_around, deviation_around = _moments(_surroundings(layer, background))
    shift = np.clip(strength * MEAN_SHARE * (mean_around - mean), -MEAN_LIMIT, MEAN_LIMIT)
    spread = (deviation_around[0] + 1) / (deviation[0] + 1)
    gain = np.array([np.clip(spread ** (strength * CONTRAST_POWER), *CONTRAST_LIMITS), 1, 1])
    moved = ((lab - mean) * gain + mean + shift).astype(np.float32)
    target = cv2.cvtColor(moved, cv2.COLOR_LAB2RGB)[0]
    return np.asarray(cv2.transform(layer.rgb, _affine(colours.astype(np.float32) / np.float32(255), target)), np.uint8)


def _surroundings(layer: Layer, background: Lab) -> Lab:
    height, width = layer.alpha.shape
    margin = int(SURROUNDINGS * max(height, width))
    rows = slice(max(0, layer.y - margin) // SAMPLE_STEP, (layer.y + height + margin) // SAMPLE_STEP + 1)
    columns = slice(max(0, layer.x - margin) // SAMPLE_STEP, (layer.x + width + margin) // SAMPLE_STEP + 1)
    return background[rows, columns]


def _moments(lab: Lab) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and standard deviation of L*, a* and b*."""
    mean, deviation = cv2.meanStdDev(lab)
    return mean[:, 0], deviation[:, 0]


def _affine(colours: NDArray[np.float32], target: NDArray[np.float32]) -> NDArray[np.float64]:
    """The 3 x 4 map of RGB in 0 to 255 nearest to colours -> target (both in 0 to 1), by ridge regression."""
    step = target - colours
    mean, mean_step = (np.array(cv2.mean(values[None])[:3]) for values in (colours, step))
    pairs = np.hstack([colours - mean, step - mean_step])
    # OpenCV's product, not `@`: its sums do not depend on the number of BLAS threads.
    products = cv2.mulTransposed(pairs, aTa=True, scale=1 / len(pairs))
    variance, covariance = products[:3, :3], products[:3, 3:]
    slope = np.eye(3) + np.linalg.solve(variance + RIDGE * np.eye(3), covariance).T
    offset = 255 * (mean + mean_step - slope @ mean)
    return np.column_stack([slope, offset])


def _sample(pixels: NDArray[Pixel]) -> NDArray[Pixel]:
    height, width = pixels.shape[:2]
    to = (max(1, width // SAMPLE_STEP), max(1, height // SAMPLE_STEP))
    sample: NDArray[Pixel] = cv2.resize(pixels, to, interpolation=cv2.INTER_NEAREST)
    return sample


def _lab(rgb: Rgb) -> Lab:
    return np.asarray(cv2.cvtColor(rgb.astype(np.float32) / np.float32(255), cv2.COLOR_RGB2LAB), np.float32)


def _merge(picture: Rgb, layer: Layer, rgb: Rgb) -> None:
    """Blend the object into the picture, in place: rgb * alpha + picture * (1 - alpha), each part with 8 bits."""
    height, width = layer.alpha.shape
    region = picture[layer.y : layer.y + height, layer.x : layer.x + width]
    alpha = cv2.convertScaleAbs(layer.alpha, alpha=255)
    share = cv2.merge([alpha, alpha, alpha])
    behind = cv2.multiply(region, cv2.bitwise_not(share), scale=1 / 255)
    cv2.add(cv2.multiply(rgb, share, scale=1 / 255), behind, dst=region)
