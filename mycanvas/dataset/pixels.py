"""Pixels for training, of one size: whole scenes, source photos at random sizes, and collages of cut-outs."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mycanvas.dataset.records import Encoded, Photo, Scene
from mycanvas.errors import InputError
from mycanvas.io.formats import DECODER_ERRORS
from mycanvas.io.images import Rgb, decode, decode_mask, decode_rgb, quiet_decoding, upright_size

SMALL_SHARE, SMALL, LARGE = 0.66, (1 / 3, 1.0), (1.2, 1.4)
"""Custom Diffusion's resize augmentation: the share of reduced photos, and the scales of these and of enlarged ones."""
FAR, NEAR = 0.6, 1.0
"""Scales below and above which the prompt says so."""
OBJECT_SIZE = (0.7, 1.0)
"""Size of a cut-out relative to its cell of a collage."""
GREY, WHITE = (128, 128, 128), (255, 255, 255)


class Shown(NamedTuple):
    """A picture as the model sees it: uint8 [H, W, 3]. weight: the loss's, float32 [H, W]; None: 1 everywhere."""

    pixels: Rgb
    weight: NDArray[np.float32] | None


class Zoom(NamedTuple):
    """A size at which a photo is shown. scale: relative to the picture. words: for the prompt. seed: of its place."""

    scale: float
    words: str
    seed: int


def draw_zoom(rng: np.random.Generator) -> Zoom:
    """Draw a size as Custom Diffusion does."""
    scale = rng.uniform(*(SMALL if rng.random() < SMALL_SHARE else LARGE))
    words = ("far away", "very small") if scale < FAR else ("zoomed in", "close up") if scale > NEAR else ("", "")
    return Zoom(scale, words[rng.integers(2)], int(rng.integers(2**32)))


def show_scene(scene: Scene, resolution: int, multiple: int, outside: float) -> Shown:
    """A whole scene. outside: the loss's weight where there is no object."""
    with _named(f"scene {scene.id}"), Image.open(io.BytesIO(scene.mask), formats=["PNG"]) as mask:
        size = _size(mask.size, resolution, multiple)
        pixels = _resized(decode(scene.image, max(size)).image, size)
        if outside == 1:  # the mask has no effect, and decoding it would take a tenth of the time
            return Shown(np.asarray(pixels), None)
        objects = np.asarray(mask.resize(size, Image.Resampling.NEAREST)) > 0
    return Shown(np.asarray(pixels), _weight(objects, outside))


def show_class_picture(image: Encoded, resolution: int, multiple: int) -> Shown:
    """A whole class picture."""
    with _named("a class picture"):
        size = _size(upright_size(image), resolution, multiple)
        picture = decode(image, max(size)).image.convert("RGB")
    return Shown(np.asarray(_resized(picture, size)), None)


def show_photo(photo: Photo, zoom: Zoom, resolution: int, outside: float) -> Shown:
    """A source photo at a random place of a grey square, or a part of it; the loss counts only where the photo is."""
    longer = zoom.scale * resolution
    with _named(f"the source photo {photo.id}"):
        pixels = Image.fromarray(decode_rgb(photo.image, math.ceil(longer)))
        is_masked = photo.mask and photo.used  # masks of photos that are not used are rarely right
        objects = decode_mask(photo.mask or b"") > 0.5 if is_masked else np.ones(pixels.size[::-1], bool)
    scale, rng = longer / max(pixels.size), np.random.default_rng(zoom.seed)
    size = max(1, round(pixels.width * scale)), max(1, round(pixels.height * scale))
    free = [sorted((0, resolution - side)) for side in size]
    x, y = (int(rng.integers(low, high + 1)) for low, high in free)
    canvas, weight = Image.new("RGB", (resolution,) * 2, GREY), Image.new("F", (resolution,) * 2)
    canvas.paste(pixels.resize(size, Image.Resampling.LANCZOS), (x, y))
    weight.paste(Image.fromarray(_weight(objects, outside)).resize(size, Image.Resampling.NEAREST), (x, y))
    return Shown(np.asarray(canvas), np.asarray(weight))


def show_collage(photos: Sequence[Photo], seed: int, resolution: int, outside: float) -> Shown:
    """The cut-outs of photos on white, each in a random cell of its own: no layout, shadow or background."""
    rng, columns = np.random.default_rng(seed), math.ceil(math.sqrt(len(photos)))
    cell, canvas, objects = (
        resolution // columns,
        Image.new("RGB", (resolution,) * 2, WHITE),
        Image.new("L", (resolution,) * 2),
    )
    for place, photo in zip(rng.permutation(columns**2), photos, strict=False):
        with _named(f"the source photo {photo.id}"):
            cutout = _cutout(photo)
        scale = rng.uniform(*OBJECT_SIZE) * cell / max(cutout.size)
        cutout = cutout.resize([max(1, round(side * scale)) for side in cutout.size], Image.Resampling.LANCZOS)
        x = place % columns * cell + int(rng.integers(cell - cutout.width + 1))
        y = place // columns * cell + int(rng.integers(cell - cutout.height + 1))
        canvas.paste(cutout, (x, y), cutout)
        objects.paste(255, (x, y), cutout.getchannel("A"))
    return Shown(np.asarray(canvas), _weight(np.asarray(objects) > 127, outside))


def _cutout(photo: Photo) -> Image.Image:
    """The object of a photo, of mode RGBA, cropped."""
    pixels, mask = decode_rgb(photo.image), decode_mask(photo.mask or b"")
    if mask.shape != pixels.shape[:2] or not mask.any():
        raise InputError(f"its mask of {mask.shape[1]}x{mask.shape[0]} is empty or not of the photo's size")
    whole = Image.fromarray(np.dstack([pixels, np.rint(mask * 255).astype(np.uint8)]))
    return whole.crop(whole.getchannel("A").getbbox())


def _resized(picture: Image.Image, size: tuple[int, int]) -> Image.Image:
    return picture if picture.size == size else picture.resize(size, Image.Resampling.LANCZOS)


def _size(whole: tuple[int, int], resolution: int, multiple: int) -> tuple[int, int]:
    """A size of about resolution² pixels. Nothing is cropped, as captions and masks are of the whole picture."""
    scale = resolution / math.sqrt(math.prod(whole)) / multiple
    width, height = (max(1, round(side * scale)) * multiple for side in whole)
    return width, height


def _weight(objects: NDArray[np.bool_], outside: float) -> NDArray[np.float32]:
    return np.where(objects, np.float32(1), np.float32(outside))


@contextmanager
def _named(name: str) -> Iterator[None]:
    """Name the picture that cannot be used."""
    try:
        with quiet_decoding():
            yield
    except (InputError, *DECODER_ERRORS) as error:
        raise InputError(f"{name} cannot be used: {error}; build the dataset again") from error
