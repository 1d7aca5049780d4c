"""BackgroundRef -> Background: load a picture and vary it, so that no two samples share their pixels."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np

from builder.records import Background, BackgroundRef, Rgb
from builder.seeds import rng_for
from builder.sources.photos import read_photo
from builder.stages.backgrounds.ground import estimate_ground
from builder.stages.backgrounds.picture import SIZE
from builder.stages.backgrounds.procedural import paint_scene

CACHE_BYTES = 256 * 2**20
"""Size of the cache of pictures: enough for every procedural background at the default resolution."""
MARGIN = 1.125
"""Cached pictures are larger than the resolution by this factor, so that crops of them stay sharp."""
LARGEST_PROPORTION = 4
"""Largest width / height of a photo: wider panoramas are cropped, so that one photo cannot fill the cache."""


class BackgroundSource:
    """Loads the backgrounds of samples, and caches the pictures from which they are cropped.

    Args:
        resolution: width and height of every background in pixels.
        paint: paints the picture of a background that has no photo.
    """

    def __init__(self, resolution: int, paint: Callable[[BackgroundRef], Background] = paint_scene) -> None:
        self._resolution = resolution
        self._paint = paint
        self._kept: OrderedDict[BackgroundRef, Background] = OrderedDict()

    def load(self, ref: BackgroundRef, seed: int, sample_id: str) -> Background:
        """The background of one sample: a random crop of the picture, sometimes mirrored, its colours slightly changed.

        Args:
            ref: the picture.
            seed: the build's seed.
            sample_id: together with `seed` decides the crop; two samples never share their pixels.

        Raises:
            InputError: the photo cannot be read, or has changed since it was found.
        """
        rng = rng_for(seed, sample_id, "background")
        picture = self._picture(replace(ref, phrase=""))  # the phrase does not change the picture
        return _varied(picture, self._resolution, rng, smallest=0.85 if ref.photo else 0.9)

    def _picture(self, ref: BackgroundRef) -> Background:
        if ref in self._kept:
            self._kept.move_to_end(ref)
            return self._kept[ref]
        picture = _read(ref, self._resolution) if ref.photo else _shrunk(self._paint(ref), self._resolution)
        self._kept[ref] = picture
        while len(self._kept) > 1 and sum(each.pixels.nbytes for each in self._kept.values()) > CACHE_BYTES:
            self._kept.popitem(last=False)
        return picture


def _shrunk(scene: Background, resolution: int) -> Background:
    side = round(resolution * MARGIN)
    if side >= SIZE:
        return scene
    pixels = cv2.resize(scene.pixels, (side, side), interpolation=cv2.INTER_AREA)
    return Background(pixels=pixels, horizon=scene.horizon, ground=scene.ground)


def _read(ref: BackgroundRef, resolution: int) -> Background:
    """Read a photo and scale its shorter side down to the size that crops need; the result is not square."""
    assert ref.photo is not None  # noqa: S101
    side = round(resolution * MARGIN)
    pixels = read_photo(ref.photo, side * LARGEST_PROPORTION).pixels
    height, width = pixels.shape[:2]
    if width > height * LARGEST_PROPORTION:
        left = (width - height * LARGEST_PROPORTION) // 2
        pixels = pixels[:, left : left + height * LARGEST_PROPORTION]
        width = pixels.shape[1]
    if min(height, width) > side:
        scale = side / min(height, width)
        pixels = cv2.resize(pixels, (round(width * scale), round(height * scale)), interpolation=cv2.INTER_AREA)
    horizon, ground = estimate_ground(pixels)
    if ref.ground is not None:
        ground, horizon = ref.ground, min(horizon, ref.ground - 0.1)
    if ref.horizon is not None:
        horizon, ground = ref.horizon, max(ground, ref.horizon + 0.02)
    return Background(pixels=np.ascontiguousarray(pixels), horizon=horizon, ground=ground)


def _varied(picture: Background, resolution: int, rng: np.random.Generator, *, smallest: float) -> Background:
    """Crop a random square from the lower part; smallest: its smallest side, a fraction of the largest that fits."""
    height, width = picture.pixels.shape[:2]
    side = round(rng.uniform(smallest, 1.0) * min(height, width))
    left = round(rng.uniform(0, 1) * (width - side))
    top = round((1 - 0.5 * rng.uniform(0, 1) ** 2) * (height - side))
    crop = picture.pixels[top : top + side, left : left + side]
    pixels = cv2.resize(crop, (resolution, resolution), interpolation=cv2.INTER_CUBIC)
    if rng.random() < 0.5:
        pixels = cv2.flip(pixels, 1)
    return Background(
        pixels=_exposed(pixels, rng),
        horizon=(picture.horizon * height - top) / side,
        ground=min((picture.ground * height - top) / side, 0.95),
    )


def _exposed(pixels: Rgb, rng: np.random.Generator) -> Rgb:
    """The pixels a little lighter or darker, warmer or cooler."""
    gamma = np.exp(rng.uniform(-0.12, 0.12))
    warmth = rng.uniform(-0.02, 0.02)
    levels = np.round((np.arange(256) / 255) ** gamma * 255).astype(np.uint8)
    # One table, then gains: a table for each channel takes longer than both.
    return np.asarray(cv2.transform(cv2.LUT(pixels, levels), np.diag([1 + warmth, 1.0, 1 - warmth])), np.uint8)
