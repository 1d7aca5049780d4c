"""The one image decoder and encoder: from a file's bytes to upright sRGB pixels, and back.

Files come from anywhere, so nothing is trusted: three formats only, caps on bytes and pixels that are checked before
anything is decoded, and no file that ends early.
"""

from __future__ import annotations

import io
import stat
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from mycanvas.errors import InputError
from mycanvas.io.colour import to_srgb

FORMATS = ("JPEG", "PNG", "WEBP")
MAX_BYTES = 256 * 2**20
MAX_PIXELS = 80_000_000
"""Below the 89 million at which Pillow warns of a decompression bomb, so that both refuse the same files."""
MIN_TRANSPARENT = 0.01
"""Fraction of an image that must be transparent for its alpha to be a cut-out, not just rounded corners."""
GREY = 128
"""Shown around an object that is cut out."""
JPEG_QUALITY = 95
PNG_LEVEL = 1
PALETTE = (0, 0, 0, 230, 25, 75, 60, 180, 75, 0, 130, 200, 255, 225, 25, 145, 30, 180)
"""Colours of mask values 0 to 5, as a viewer shows them; only the values carry meaning."""

Rgb = NDArray[np.uint8]
"""uint8 [H, W, 3]."""


def read_file(path: Path) -> bytes:
    """Read a regular file of at most MAX_BYTES; symbolic links are followed.

    Raises:
        InputError: the path is something else, is too large, or cannot be opened.
    """
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise InputError("a folder; expected a picture file")
        if not stat.S_ISREG(status.st_mode):
            raise InputError("not a regular file")
        if status.st_size > MAX_BYTES:
            raise InputError(f"too large: {status.st_size / 2**20:.0f} MiB; expected at most {MAX_BYTES // 2**20} MiB")
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot be opened: {error.strerror}") from error


def decode(data: bytes | memoryview, side: int | None = None, *, min_side: int = 1) -> Image.Image:
    """Decode an image: upright, sRGB, 8 bits. Call it within `quiet_decoding`.

    Animations give their first frame. 16-bit values are scaled, not clipped. Colour profiles (Display P3 phones, CMYK
    print) are converted from; one that is broken or belongs to another colour space is ignored.

    Args:
        data: a file's bytes.
        side: the longer side is scaled down to this many pixels; None: the size stays.
        min_side: fewest pixels of the shorter side.

    Returns:
        An image of mode RGB; or RGBA, straight, where at least MIN_TRANSPARENT of the file's pixels are transparent.

    Raises:
        InputError: not one of FORMATS, cut short or damaged, too large, too small, or wholly transparent.
    """
    image = _open(data, side, min_side)
    alpha = _cutout_alpha(image)
    pixels = to_srgb(image)
    if alpha is not None:
        pixels.putalpha(alpha)
    if side is None or max(pixels.size) <= side:
        return pixels
    return pixels.resize(_fit(pixels.size, side), Image.Resampling.LANCZOS, reducing_gap=3.0)


def decode_rgb(data: bytes | memoryview) -> Rgb:
    """Decode an image to uint8 [H, W, 3] at its own size, without its alpha; otherwise as `decode`."""
    return np.asarray(to_srgb(_open(data, None, 1)))


def cut_out(photo: Rgb, mask: bytes | memoryview) -> Rgb:
    """Crop a photo to its object, on grey.

    Args:
        photo: uint8 [H, W, 3].
        mask: a single-channel PNG of the same size, 255 = object.

    Raises:
        InputError: the mask cannot be read, has another size, or is empty.
    """
    shown = np.asarray(_open(mask, None, 1).convert("L")) > 127
    if shown.shape != photo.shape[:2] or not shown.any():
        raise InputError(f"its mask of {shown.shape[1]}x{shown.shape[0]} is empty or not of the photo's size")
    rows, columns = (np.flatnonzero(shown.any(axis=axis)) for axis in (1, 0))
    window = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    return np.where(shown[window][..., None], photo[window], np.uint8(GREY))


@contextmanager
def quiet_decoding() -> Iterator[None]:
    """Silence Pillow's warnings about odd metadata around `decode`.

    Enter it in one thread, around those that decode: Python's warning filters belong to the whole process, and threads
    that each change and restore them lose the original state.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\.")
        yield


def encode_jpeg(pixels: Rgb) -> bytes:
    """Encode uint8 [H, W, 3] as a JPEG of quality 95."""
    return _encoded(".jpg", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), (cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY))


def encode_png(pixels: NDArray[np.uint8]) -> bytes:
    """Encode uint8 [H, W], [H, W, 3] or [H, W, 4] as a PNG, quickly rather than compactly."""
    if pixels.ndim == 3:  # OpenCV writes B, G, R
        pixels = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR if pixels.shape[2] == 3 else cv2.COLOR_RGBA2BGRA)
    return _encoded(".png", pixels, (cv2.IMWRITE_PNG_COMPRESSION, PNG_LEVEL))


def encode_index_mask(mask: NDArray[np.uint8]) -> bytes:
    """Encode uint8 [H, W] of object numbers as a palette PNG: the stored pixel value is the number."""
    image = Image.fromarray(mask)
    image.putpalette(PALETTE)
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", compress_level=PNG_LEVEL, bits=4)
    return buffer.getvalue()


def _open(data: bytes | memoryview, side: int | None, min_side: int) -> Image.Image:
    """Decode and turn upright."""
    if not data:
        raise InputError("an empty file")
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            _check_size(image.size, min_side)
            if side is not None:
                image.draft(None, _fit(image.size, side))
            image.load()
            ImageOps.exif_transpose(image, in_place=True)
            return image
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise InputError(f"too many pixels; expected at most {MAX_PIXELS // 10**6} million ({error})") from error
    except UnidentifiedImageError as error:
        raise InputError(f"not a picture in {', '.join(FORMATS)}") from error
    except (OSError, SyntaxError, ValueError, EOFError) as error:  # raised by Pillow's decoders on damaged files
        raise InputError(f"damaged: {error}") from error


def _check_size(size: tuple[int, int], min_side: int) -> None:
    width, height = size
    if width * height > MAX_PIXELS:
        raise InputError(f"too many pixels: {width}x{height}; expected at most {MAX_PIXELS // 10**6} million")
    if min(size) < min_side:
        raise InputError(f"too small: {width}x{height}; expected at least {min_side} pixels each way")


def _cutout_alpha(image: Image.Image) -> Image.Image | None:
    """The alpha channel where it separates an object from nothing; None where it does not."""
    if not image.has_transparency_data or image.mode == "I;16":
        return None
    alpha = image.convert("RGBA").getchannel("A")
    histogram = alpha.histogram()
    transparent, total = sum(histogram[:128]), sum(histogram)
    if transparent == total:
        raise InputError("wholly transparent")
    return alpha if transparent >= MIN_TRANSPARENT * total else None


def _fit(size: tuple[int, int], side: int) -> tuple[int, int]:
    scale = min(1.0, side / max(size))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def _encoded(suffix: str, pixels: NDArray[np.uint8], options: tuple[int, int]) -> bytes:
    _, encoded = cv2.imencode(suffix, pixels, options)
    return encoded.tobytes()
