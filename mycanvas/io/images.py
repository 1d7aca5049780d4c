"""The one image decoder and encoder: from a file's bytes to upright sRGB pixels, and back.

Files come from anywhere, so nothing is trusted: few formats, told apart by content, caps on bytes and pixels that are
checked before anything is decoded, and no file that ends early.
"""

from __future__ import annotations

import io
import os
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageFile, ImageOps, PngImagePlugin, UnidentifiedImageError
from PIL.JpegImagePlugin import JpegImageFile

from mycanvas.errors import InputError, MissingExtra
from mycanvas.io.alpha import GREY, cutout_flaw, hide_invisible, is_transparent, on_grey, visible_alpha
from mycanvas.io.colour import to_srgb
from mycanvas.io.files import reason_of
from mycanvas.io.formats import DECODER_ERRORS, READABLE, format_of, heif_class, is_streamed
from mycanvas.io.regular import open_regular
from mycanvas.io.text import printable

MAX_BYTES = 256 * 2**20
MAX_PIXELS = 80_000_000
"""Below the 89 million at which Pillow warns of a decompression bomb, so that both refuse the same files."""
MAX_SIDE = 65_535
"""The longest side that a JPEG can have; a PNG of few bytes can be a line of 80 million pixels, slow to scale."""
MAX_STREAMED_PIXELS = 16384 * 12288
"""Of a JPEG that is scaled down while it is decoded, in little memory: the largest photo of a phone, "200 MP"."""
JPEG_QUALITY = 95
PNG_LEVEL = 1
PALETTE = (0, 0, 0, 230, 25, 75, 60, 180, 75, 0, 130, 200, 255, 225, 25, 145, 30, 180)
"""Colours of mask values 0 to 5, as a viewer shows them; only the values carry meaning."""

Rgb = NDArray[np.uint8]
"""uint8 [H, W, 3]."""


class Decoded(NamedTuple):
    """The result of `decode`.

    image: of mode RGBA, straight, if the file is a ready cut-out: an object on nothing; else RGB, on grey.
    ignored_alpha: why the file is no cut-out although parts of it are transparent; None if it is one, or is opaque.
    """

    image: Image.Image
    ignored_alpha: str | None


def read_file(path: Path) -> bytes:
    """Read a regular file of at most MAX_BYTES; symbolic links are followed.

    Raises:
        InputError: the path is something else, is too large, or cannot be read.
    """
    try:
        with open_regular(path) as file:
            size = os.fstat(file.fileno()).st_size
            if size > MAX_BYTES:
                raise InputError(f"too large: {size / 2**20:.0f} MiB; expected at most {MAX_BYTES // 2**20} MiB")
            return file.read()
    except OSError as error:
        raise InputError(f"cannot be read: {reason_of(error, 'read')}") from error


def decode(data: bytes | memoryview, side: int | None = None, *, min_side: int = 1) -> Decoded:
    """Decode an image: upright, sRGB, 8 bits. Call it within `quiet_decoding`.

    Animations give their first frame. 16-bit values are scaled, not clipped. Colour profiles (Display P3 phones, CMYK
    print) are converted from; one that is broken or belongs to another colour space is ignored. Colours of transparent
    pixels are not kept.

    Args:
        data: a file's bytes.
        side: the longer side is scaled down to this many pixels; None: the size stays.
        min_side: fewest pixels of the shorter side.

    Raises:
        InputError: not in a format that is read, cut short or damaged, too large, too small, or wholly transparent.
    """
    pixels, alpha = _decoded(data, side, min_side)
    flaw = None
    if alpha is not None:
        flaw = cutout_flaw(alpha) if is_transparent(alpha) else None
        if flaw is None and is_transparent(alpha):
            pixels.putalpha(alpha)
        else:
            pixels = on_grey(pixels, alpha)
    if side is not None and max(pixels.size) > side:
        pixels = pixels.resize(_fit(pixels.size, side), Image.Resampling.LANCZOS, reducing_gap=3.0)
    return Decoded(pixels if pixels.mode == "RGB" else hide_invisible(pixels), flaw)


def decode_rgb(data: bytes | memoryview, side: int | None = None) -> Rgb:
    """Decode an image to uint8 [H, W, 3], on grey where it is transparent; otherwise as `decode`.

    Its size stays; but of a JPEG, where a `side` is given, it may be a half, a fourth or an eighth, if that still has
    so many pixels along the longer side.
    """
    pixels, alpha = _decoded(data, side, 1)
    return np.asarray(pixels if alpha is None else on_grey(pixels, alpha))


def decode_mask(data: bytes | memoryview) -> NDArray[np.float32]:
    """Decode a mask to float32 [H, W] in [0, 1], upright: its alpha if parts are transparent, else brightness.

    Brightness is that of the brightest channel, so that an object may have any bright colour. Call it within
    `quiet_decoding`.

    Raises:
        InputError: as `decode`.
    """
    pixels, alpha = _decoded(data, None, 1)
    values = np.asarray(pixels).max(axis=2) if alpha is None else np.asarray(alpha)
    return values.astype(np.float32) / np.float32(255)


def upright_size(data: bytes | memoryview) -> tuple[int, int]:
    """Width and height of a picture that `decode` accepts, upright. Call it within `quiet_decoding`.

    Raises:
        InputError: the header cannot be read.
    """
    with _decoder_errors(), _header(data, 1) as image:
        width, height = image.size
        turned = image.getexif().get(ExifTags.Base.Orientation, 1) in range(5, 9)
    return (height, width) if turned else (width, height)


def cut_out(photo: Rgb, mask: bytes | memoryview) -> Rgb:
    """Crop a photo to its object, on grey.

    Args:
        photo: uint8 [H, W, 3].
        mask: a single-channel PNG of the same size, 255 = object.

    Raises:
        InputError: the mask cannot be read, has another size, or is empty.
    """
    with _decoder_errors():
        shown = np.asarray(_open(mask, None, 1).convert("L")) > 127
    if shown.shape != photo.shape[:2] or not shown.any():
        raise InputError(f"its mask of {shown.shape[1]}x{shown.shape[0]} is empty or not of the photo's size")
    rows, columns = (np.flatnonzero(shown.any(axis=axis)) for axis in (1, 0))
    window = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    return np.where(shown[window][..., None], photo[window], np.uint8(GREY))


@contextmanager
def quiet_decoding() -> Iterator[None]:
    """Silence Pillow's warnings about odd metadata around `decode`, and allow as much of it as Pillow allows in all.

    Enter it in one thread, around those that decode: Python's warning filters and Pillow's limits belong to the whole
    process, and threads that each change and restore them lose the original state.
    """
    largest_chunk = PngImagePlugin.MAX_TEXT_CHUNK  # 1 MiB: less than many colour profiles, and histories in XMP
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\.")
        PngImagePlugin.MAX_TEXT_CHUNK = PngImagePlugin.MAX_TEXT_MEMORY
        try:
            yield
        finally:
            PngImagePlugin.MAX_TEXT_CHUNK = largest_chunk


def encode_jpeg(pixels: Rgb) -> bytes:
    """Encode uint8 [H, W, 3] as a JPEG of quality 95."""
    return _encoded(".jpg", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), (cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY))


def encode_photo(pixels: Rgb, alpha: NDArray[np.float32] | None) -> bytes:
    """Encode a photo as `encode_jpeg` does, on grey where its float32 alpha [H, W] is below 1; None: it is opaque."""
    if alpha is None:
        return encode_jpeg(pixels)
    opacity = Image.fromarray(np.rint(alpha * 255).astype(np.uint8))
    return encode_jpeg(np.asarray(on_grey(Image.fromarray(pixels), opacity)))


def encode_png(pixels: NDArray[np.uint8]) -> bytes:
    """Encode uint8 [H, W], [H, W, 3] or [H, W, 4] as a PNG, quickly rather than compactly."""
    if pixels.ndim == 3:  # OpenCV writes B, G, R
        pixels = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR if pixels.shape[2] == 3 else cv2.COLOR_RGBA2BGRA)
    return _encoded(".png", pixels, (cv2.IMWRITE_PNG_COMPRESSION, PNG_LEVEL))


def encode_index_mask(mask: NDArray[np.uint8]) -> bytes:
    """Encode uint8 [H, W] of object numbers below 16 as a palette PNG: the stored pixel value is the number."""
    image = Image.fromarray(mask)
    image.putpalette(PALETTE)
    buffer = io.BytesIO()
    # A mask is runs of one number: to look for nothing else is faster, and gives the smaller file.
    image.save(buffer, format="PNG", compress_level=PNG_LEVEL, compress_type=zlib.Z_RLE, bits=4)
    return buffer.getvalue()


def _decoded(data: bytes | memoryview, side: int | None, min_side: int) -> tuple[Image.Image, Image.Image | None]:
    """The pixels of an image, in sRGB, and its alpha, if parts of it are transparent."""
    with _decoder_errors():
        image = _open(data, side, min_side)
        return to_srgb(image), _alpha(image)


def _open(data: bytes | memoryview, side: int | None, min_side: int) -> Image.Image:
    """Decode and turn upright."""
    if not data:
        raise InputError("an empty file")
    with _header(data, side) as image:
        if min(image.size) < min_side:
            size = "x".join(map(str, image.size))
            raise InputError(f"too small: {size}; expected at least {min_side} pixels each way")
        if side is not None and isinstance(image, JpegImageFile):  # pillow-heif would give an embedded thumbnail
            image.draft(None, _fit(image.size, side))
        _check_pixels(image.size, MAX_PIXELS)
        image.load()
        ImageOps.exif_transpose(image, in_place=True)
        return image


@contextmanager
def _decoder_errors() -> Iterator[None]:
    """Turn what decoders raise on damaged files into InputError; Pillow lets errors of many kinds through."""
    try:
        yield
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise InputError(f"too many pixels; expected at most {MAX_PIXELS // 10**6} million ({error})") from error
    except UnidentifiedImageError as error:
        raise InputError("damaged: its header cannot be read") from error
    except DECODER_ERRORS as error:
        raise InputError(f"damaged: {printable(str(error)) or 'a decoder failed'}") from error


def _header(data: bytes | memoryview, side: int | None) -> ImageFile.ImageFile:
    """Open an image, and refuse one that is too large to be decoded; `side`: as in `decode`."""
    kind = format_of(data)
    if kind is None or kind not in READABLE:
        expected = ", ".join(READABLE)
        raise InputError(f"{kind} is not read; expected {expected}" if kind else f"not a picture in {expected}")
    if kind == "HEIF":
        try:
            return heif_class()(io.BytesIO(data))
        except MissingExtra as error:
            raise InputError(f"HEIF (.heic): {error}, or save it as .jpg") from error
    if kind != "JPEG":
        return Image.open(io.BytesIO(data), formats=[kind])
    image = JpegImageFile(io.BytesIO(data))  # `Image.open` would refuse large photos that can be scaled down
    streamed = side is not None and is_streamed(data)
    _check_pixels(image.size, MAX_STREAMED_PIXELS if streamed else MAX_PIXELS)
    return image


def _check_pixels(size: tuple[int, int], most: int) -> None:
    width, height = size
    if max(size) > MAX_SIDE:
        raise InputError(f"too long: {width}x{height}; expected at most {MAX_SIDE} pixels each way")
    if width * height > most:
        raise InputError(f"too many pixels: {width}x{height}; expected at most {most // 10**6} million")


def _alpha(image: Image.Image) -> Image.Image | None:
    alpha = visible_alpha(image)
    if alpha is not None and alpha.getextrema() == (0, 0):
        raise InputError("wholly transparent")
    return alpha


def _fit(size: tuple[int, int], side: int) -> tuple[int, int]:
    scale = min(1.0, side / max(size))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def _encoded(suffix: str, pixels: NDArray[np.uint8], options: tuple[int, int]) -> bytes:
    _, encoded = cv2.imencode(suffix, pixels, options)
    return encoded.tobytes()
