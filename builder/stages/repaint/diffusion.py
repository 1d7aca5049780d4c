"""Repainting by diffusion: paint a new background around the objects, whose pixels stay as photographed.

Gen4Gen (arXiv 2402.15504, section 3) inpaints over a background photo. The difference here: the objects are blended in
by their straight alpha, once before and once after painting; the official merge takes the brighter of two pixels, which
leaves bright rims on dark objects. Colours are not harmonised and no shadow is cast: the model would paint over both,
or they would change an object's identity.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from string import Formatter
from typing import Annotated, Literal, Self

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator

from builder.records import Alpha, Canvas, Layer, Rejected, Rgb, Rgba, Size, size_of
from builder.seeds import rng_for, seed_for
from builder.stages.repaint.base import Repainter
from mycanvas.errors import MissingExtra
from mycanvas.io.layers import PictureLayer
from mycanvas.io.messages import nearest
from mycanvas.io.text import brief
from mycanvas.models import in_batches
from mycanvas.models.inpainting import MULTIPLE, Inpainter, InpaintingConfig, Painting
from mycanvas.models.inpainting_loading import load_inpainter
from mycanvas.models.required import RequiredModel
from mycanvas.models.runtime import Runtime

OBJECT = 0.5
"""A pixel with at least this much foreground alpha is not painted over."""
SEEN = 1 / 510
"""Smallest transparency of the objects at which an 8-bit picture contains any of the ground behind them."""
BLACK = 2 / 255
"""A picture with no brighter value counts as black: a safety checker or an overflow made it."""

_PREPOSITION = re.compile(r"^(?:above|at|behind|beside|by|in|inside|near|on|outside|under|underneath) ")


@dataclass(frozen=True, kw_only=True, slots=True)
class Foreground:
    """All objects of a canvas as one layer.

    colour: float32 [H, W, 3] in 0 to 255, premultiplied by alpha. alpha: float32 [H, W] in 0 to 1.
    """

    colour: NDArray[np.float32]
    alpha: Alpha

    def over(self, picture: NDArray[np.float32]) -> NDArray[np.float32]:
        """Blend the objects over a picture of the same size and range."""
        return picture * (1 - self.alpha[..., None]) + self.colour

    def softened(self, window: int) -> Foreground:
        """Average the alpha over `window` pixels without raising it: edges soften inwards, no pixel is added.

        A pixel that is solid for half a window around stays exactly as it is.
        """
        smooth = np.minimum(self.alpha, cv2.blur(self.alpha, (window, window), borderType=cv2.BORDER_REPLICATE))
        smooth[cv2.erode((self.alpha >= 1).astype(np.uint8), np.ones((window, window), np.uint8)) > 0] = 1
        share = np.divide(smooth, self.alpha, out=np.zeros_like(smooth), where=self.alpha > 0)
        return Foreground(colour=self.colour * share[..., None], alpha=smooth)


class DiffusionConfig(InpaintingConfig):
    """[repaint.diffusion]: repaint the background around the objects. Further keys: `InpaintingConfig`."""

    prompt: str = "a realistic photo of {background}"
    """Prompt of a scene; "{background}" stands for "a garden", "{phrase}" for "in a garden", "{concepts}" for
    "dog, cat"."""
    start: Literal["photo", "noise"] = "photo"
    """The start of the repainting: the picture of the background, or noise."""
    smooth: Annotated[int, Field(ge=1, le=255)] = 5
    """Side in pixels of the window that averages the edge of the foreground's alpha (Gen4Gen: 5)."""

    @field_validator("prompt")
    @classmethod
    def _check_placeholders(cls, prompt: str) -> str:
        known = ("{background}", "{phrase}", "{concepts}")
        try:
            parts = list(Formatter().parse(prompt))
        except ValueError as error:
            raise ValueError(f"{error}; write a literal brace twice") from None
        for _, name, form, conversion in parts:  # a form such as ">9999" is refused too: it makes text of any length
            placeholder = f"{{{name}{f'!{conversion}' if conversion else ''}{f':{form}' if form else ''}}}"
            if name is not None and placeholder not in known:
                raise ValueError(f"unknown placeholder {brief(placeholder)}; {nearest(placeholder, known)}")
        return prompt


class Diffusion(Repainter):
    """Repaints with an inpainting pipeline."""

    Config = DiffusionConfig
    learned = True

    def __init__(self, inpainter: Inpainter, config: DiffusionConfig) -> None:
        self._inpainter = inpainter
        self._config = config

    @staticmethod
    def required_models(config: DiffusionConfig) -> tuple[RequiredModel, ...]:
        """The pipeline and, if set, its refiner."""
        return config.required_models("repaint")

    @classmethod
    def load(cls, config: DiffusionConfig, runtime: Runtime) -> Self:
        """Load the pipelines that the configuration names; see `load_inpainter` for the errors."""
        for package in ("diffusers", "torch"):
            if find_spec(package) is None:
                raise MissingExtra(package, extra="models")
        return cls(load_inpainter(config, runtime), config)

    def repaint(self, canvases: Sequence[Canvas], seed: int) -> Iterator[Rgb | Rejected]:
        """One uint8 [H, W, 3] picture per canvas, in order; rejected if the model gave a black or non-finite one.

        The pictures of a batch have one size, so canvases are grouped by it.
        """
        groups: defaultdict[Size, list[int]] = defaultdict(list)
        for index, canvas in enumerate(canvases):
            groups[size_of(canvas.mask)].append(index)
        painted: dict[int, Rgb | Rejected] = {}
        for indices in groups.values():
            group = [canvases[index] for index in indices]
            results = in_batches(group, self._config.batch_size, lambda batch: list(self._paint(batch, seed)))
            painted |= zip(indices, results, strict=True)
        yield from (painted[index] for index in range(len(canvases)))

    def _paint(self, canvases: Sequence[Canvas], seed: int) -> Iterator[Rgb | Rejected]:
        foregrounds = [foreground_of(canvas.layers, size_of(canvas.mask)) for canvas in canvases]
        paintings = [
            self._painting(canvas, foreground, seed) for canvas, foreground in zip(canvases, foregrounds, strict=True)
        ]
        for canvas, foreground, painted in zip(canvases, foregrounds, self._inpainter.paint(paintings), strict=True):
            rows, columns = canvas.mask.shape
            picture = _sized(painted, size_of(paintings[0].mask))[:rows, :columns]
            if not np.isfinite(picture).all():
                yield _failed(
                    canvas, 'the model returned values that are not finite; try dtype = "bfloat16" or "float32"'
                )
            elif picture.max() <= BLACK:
                yield _failed(canvas, "the model returned a black picture: its safety checker or an overflow")
            else:
                merged = foreground.softened(self._config.smooth).over(picture.astype(np.float32) * 255)
                yield np.clip(np.rint(merged), 0, 255).astype(np.uint8)

    @staticmethod
    def layers(config: DiffusionConfig, canvas: Canvas, picture: Rgb, seed: int) -> tuple[PictureLayer, ...]:  # noqa: ARG004
        """The objects as they were pasted, over what the stored picture shows around them.

        The model painted no ground behind an object, so the background is transparent where an object is solid. Shadows
        are part of the painted background. The layers show the stored picture, not the one before it was encoded.
        """
        foreground = foreground_of(canvas.layers, size_of(canvas.mask))
        soft = foreground.softened(config.smooth).alpha
        share = np.divide(soft, foreground.alpha, out=np.zeros_like(soft), where=foreground.alpha > 0)
        objects = []
        for layer in canvas.layers:
            rows, columns = layer.alpha.shape
            alpha = layer.alpha * share[layer.y : layer.y + rows, layer.x : layer.x + columns]
            rgba = np.dstack([layer.rgb, np.rint(alpha * 255).astype(np.uint8)])
            objects.append(PictureLayer(kind="object", index=layer.index, x=layer.x, y=layer.y, rgba=rgba))
        return (PictureLayer(kind="background", rgba=_behind(objects, picture)), *objects)

    def _painting(self, canvas: Canvas, foreground: Foreground, seed: int) -> Painting:
        setting = canvas.layout.setting
        background = setting.background.pixels
        if self._config.start == "noise":
            rng = rng_for(seed, setting.sample.id, "repaint.start")
            background = rng.integers(0, 256, background.shape, np.uint8)
        start = np.rint(foreground.over(background.astype(np.float32))).astype(np.uint8)
        below, right = (-side % MULTIPLE for side in start.shape[:2])
        return Painting(
            image=cv2.copyMakeBorder(start, 0, below, 0, right, cv2.BORDER_REFLECT_101),
            mask=np.pad(foreground.alpha < OBJECT, ((0, below), (0, right)), constant_values=True),
            prompt=self._config.prompt.format_map(placeholders(canvas)),
            seed=seed_for(seed, setting.sample.id, "repaint"),
        )


def foreground_of(layers: Sequence[Layer], size: Size) -> Foreground:
    """Blend the objects into one layer, back to front, by straight alpha.

    Args:
        layers: back to front.
        size: of the canvas.
    """
    alpha = np.zeros((size.height, size.width), np.float32)
    colour = np.zeros((*alpha.shape, 3), np.float32)
    for layer in layers:
        height, width = layer.alpha.shape
        place = np.s_[layer.y : layer.y + height, layer.x : layer.x + width]
        clear = 1 - layer.alpha
        colour[place] = layer.rgb * layer.alpha[..., None] + colour[place] * clear[..., None]
        alpha[place] = layer.alpha + alpha[place] * clear
    return Foreground(colour=colour, alpha=alpha)


def _behind(objects: Sequence[PictureLayer], picture: Rgb) -> Rgba:
    """The ground that results in a picture when objects are blended over it; transparent where they are solid."""
    colour, clear = np.zeros(picture.shape, np.float32), np.ones((*picture.shape[:2], 1), np.float32)
    for layer in objects:
        rows, columns = layer.rgba.shape[:2]
        place = np.s_[layer.y : layer.y + rows, layer.x : layer.x + columns]
        alpha = layer.rgba[..., 3:].astype(np.float32) / np.float32(255)
        colour[place] += (layer.rgba[..., :3] - colour[place]) * alpha
        clear[place] *= 1 - alpha
    seen = clear >= SEEN
    ground = np.divide(picture - colour, clear, out=np.zeros_like(colour), where=seen)
    return np.dstack([np.clip(np.rint(ground), 0, 255).astype(np.uint8), seen.astype(np.uint8) * 255])


def placeholders(canvas: Canvas) -> dict[str, str]:
    """The values of the placeholders in `DiffusionConfig.prompt`."""
    sample = canvas.layout.setting.sample
    phrase = sample.background.phrase
    nouns = [concept.class_noun for concept in sample.concepts]
    return {"background": _PREPOSITION.sub("", phrase), "phrase": phrase, "concepts": ", ".join(nouns)}


def _sized(picture: NDArray[np.float32], size: Size) -> NDArray[np.float32]:
    """Resize a picture to the requested size; Flux Kontext, for one, paints at its training size."""
    if size_of(picture) == size:
        return picture
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.float32)


def _failed(canvas: Canvas, reason: str) -> Rejected:
    return canvas.layout.setting.rejected("repaint", reason)
