"""BackgroundRef -> Background: load a picture and vary it, so that no two samples share their pixels."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import replace

import cv2
import numpy as np

from builder.records import Background, BackgroundRef, Rgb, Size
from builder.seeds import rng_for
from builder.sources.photos import read_photo
from builder.stages.backgrounds.ground import estimate_ground
from builder.stages.backgrounds.picture import SIZE
from builder.stages.backgrounds.procedural import paint_scene

CACHE_BYTES = 256 * 2**20
"""Size of the cache of pictures: enough for every procedural background at the default resolution."""
MARGIN = 1.125
"""Cached pictures are larger than the scenes by this factor, so that crops of them stay sharp."""
LARGEST_PROPORTION = 4
"""Largest width / height of a photo: wider panoramas are cropped, so that one photo cannot fill the cache."""
SWAY = 0.2
"""Range over which the crop of a scene that is not square moves up or down, as a fraction of the rows that it omits."""


class BackgroundSource:
    """Loads the backgrounds of samples, and caches the pictures from which they are cropped.

    Args:
        sizes: all sizes of scenes.
        paint: paints the picture of a background that has no photo.
    """

    def __init__(self, sizes: Sequence[Size], paint: Callable[[BackgroundRef], Background] = paint_scene) -> None:
        self._sizes = sizes
        self._paint = paint
        self._kept: OrderedDict[BackgroundRef, Background] = OrderedDict()

    def load(self, ref: BackgroundRef, size: Size, seed: int, sample_id: str) -> Background:
        """The background of one sample: a random crop of the picture, sometimes mirrored, its colours slightly changed.

        Args:
            ref: the picture.
            size: of the scene, one of `sizes`.
            seed: the build's seed.
            sample_id: together with `seed` decides the crop; two samples never share their pixels.

        Raises:
            InputError: the photo cannot be read, or has changed since it was found.
        """
        rng = rng_for(seed, sample_id, "background")
        picture = self._picture(replace(ref, phrase=""))  # the phrase does not change the picture
        return _varied(picture, size, rng, smallest=0.85 if ref.photo else 0.9)

    def _picture(self, ref: BackgroundRef) -> Background:
        if ref in self._kept:
            self._kept.move_to_end(ref)
            return self._kept[ref]
        picture = _read(ref, self._sizes) if ref.photo else _shrunk(self._paint(ref), self._sizes)
        self._kept[ref] = picture
        while len(self._kept) > 1 and sum(each.pixels.nbytes for each in self._kept.values()) > CACHE_BYTES:
            self._kept.popitem(last=False)
        return picture


def _shrunk(scene: Background, sizes: Sequence[Size]) -> Background:
    side = max(round(max(size) * MARGIN) for size in sizes)
    if side >= SIZE:
        return scene
    pixels = cv2.resize(scene.pixels, (side, side), interpolation=cv2.INTER_AREA)
    return Background(pixels=pixels, horizon=scene.horizon, ground=scene.ground)


def _read(ref: BackgroundRef, sizes: Sequence[Size]) -> Background:
    """Read a photo and scale it down to the size that crops need; it keeps its proportions."""
    assert ref.photo is not None  # noqa: S101
    needed = [Size(round(size.width * MARGIN), round(size.height * MARGIN)) for size in sizes]
    pixels = read_photo(ref.photo, max(map(max, needed)) * LARGEST_PROPORTION).pixels
    height, width = pixels.shape[:2]
    if width > height * LARGEST_PROPORTION:
        left = (width - height * LARGEST_PROPORTION) // 2
        pixels = pixels[:, left : left + height * LARGEST_PROPORTION]
        width = pixels.shape[1]
    scale = max(max(size.width / width, size.height / height) for size in needed)
    if scale < 1:
        pixels = cv2.resize(pixels, (round(width * scale), round(height * scale)), interpolation=cv2.INTER_AREA)
    horizon, ground = estimate_ground(pixels)
    if ref.ground is not None:
        ground, horizon = ref.ground, min(horizon, ref.ground - 0.1)
    if ref.horizon is not None:
        horizon, ground = ref.horizon, max(ground, ref.horizon + 0.02)
    return Background(pixels=np.ascontiguousarray(pixels), horizon=horizon, ground=ground)


def _varied(picture: Background, size: Size, rng: np.random.Generator, *, smallest: float) -> Background:
    """Crop a random part of the shape of the scene; smallest: its smallest size, a fraction of the largest that fits.

    A square is cropped from the lower part. Other shapes omit more: above and below alike, so that the ground begins
    about as far down as in the whole picture.
    """
    width, height = picture.size
    scale = rng.uniform(smallest, 1.0)
    columns, rows = round(scale * min(width, height * size.aspect)), round(scale * min(height, width / size.aspect))
    left = round(rng.uniform(0, 1) * (width - columns))
    draw = rng.uniform(0, 1)
    above = 1 - 0.5 * draw**2 if size.aspect == 1 else float(np.clip(picture.ground + SWAY * (draw - 0.5), 0, 1))
    top = round(above * (height - rows))
    crop = picture.pixels[top : top + rows, left : left + columns]
    pixels = cv2.resize(crop, size, interpolation=cv2.INTER_CUBIC)
    if rng.random() < 0.5:
        pixels = cv2.flip(pixels, 1)
    return Background(
        pixels=_exposed(pixels, rng),
        horizon=(picture.horizon * height - top) / rows,
        ground=min((picture.ground * height - top) / rows, 0.95),
    )


def _exposed(pixels: Rgb, rng: np.random.Generator) -> Rgb:
    """The pixels a little lighter or darker, warmer or cooler."""
    gamma = np.exp(rng.uniform(-0.12, 0.12))
    warmth = rng.uniform(-0.02, 0.02)
    levels = np.round((np.arange(256) / 255) ** gamma * 255).astype(np.uint8)
    # One table, then gains: a table for each channel takes longer than both.
    return np.asarray(cv2.transform(cv2.LUT(pixels, levels), np.diag([1 + warmth, 1.0, 1 - warmth])), np.uint8)
