"""One photo, from the bytes of a file to upright sRGB pixels; what cannot be read right is refused by name.

Photos come from anywhere, so nothing is taken on trust: three formats only, caps on bytes and on pixels that are
checked before anything is decoded, and no file that ends early.
"""

from __future__ import annotations

import hashlib
import io
import stat
import warnings
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError

from builder.records import Photo, PhotoFile
from mycanvas.errors import InputError
from mycanvas.io.colour import to_srgb

FORMATS = ("JPEG", "PNG", "WEBP")
MAX_BYTES = 256 * 2**20
MAX_PIXELS = 80_000_000
"""Below the 89 million at which Pillow warns of a decompression bomb, so that both say no to the same files."""
MIN_SIDE = 64
"""Pixels of the shorter side; a smaller object cannot be cut out, nor enlarged into a scene."""
MIN_TRANSPARENT = 0.01
"""Share of a picture that must be see-through for its alpha to be a cut-out, not just rounded corners."""

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""How each EXIF orientation is turned upright (Exif 2.32, tag 274)."""


def read_photo(file: PhotoFile, side: int) -> Photo:
    """Read a photo at the size in which it is used.

    Args:
        file: as `find_concepts` found it.
        side: pixels that the longer side is scaled down to; smaller photos stay as they are.

    Returns:
        uint8 [H, W, 3] pixels in sRGB, upright; and the alpha, float32 [H, W], where the file brings a cut-out.

    Raises:
        InputError: the file cannot be read, or is no longer the one that was found.
    """
    data = read_bytes(file.path)
    if hashlib.sha256(data).hexdigest() != file.sha256:
        raise InputError(f"{file.path} has changed since the build was planned; start again with another output")
    try:
        image = decode(data, side)
    except InputError as error:
        raise InputError(f"{file.path}: {error}") from error
    pixels = np.asarray(image)
    if image.mode == "RGB":
        return Photo(id=file.id, pixels=pixels)
    alpha = pixels[..., 3].astype(np.float32) / np.float32(255)
    return Photo(id=file.id, pixels=np.ascontiguousarray(pixels[..., :3]), alpha=alpha)


def read_bytes(path: Path) -> bytes:
    """The content of a regular file of at most MAX_BYTES; symbolic links are followed.

    Raises:
        InputError: saying what the path is instead.
    """
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise InputError("a folder; wanted a picture file")
        if not stat.S_ISREG(status.st_mode):
            raise InputError("not a regular file")
        if status.st_size > MAX_BYTES:
            raise InputError(f"{status.st_size / 2**20:.0f} MiB; wanted at most {MAX_BYTES // 2**20}")
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot be opened: {error.strerror}") from error


def decode(data: bytes, side: int) -> Image.Image:
    """The picture in a file's bytes: upright, sRGB, 8 bits, its longer side at most `side` pixels.

    Animations give their first frame. 16-bit values are scaled, not clipped. Colour profiles (Display P3 phones, CMYK
    print) are converted from; one that is broken or meant for another colour space is ignored.

    Returns:
        An image of mode RGB; or RGBA, straight, where at least MIN_TRANSPARENT of the file's pixels are see-through.

    Raises:
        InputError: not one of FORMATS, cut short or damaged, too large, too small, or nothing in it but transparency.
    """
    if not data:
        raise InputError("an empty file")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Remarks on odd metadata; pixels that cannot be read raise.
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            with Image.open(io.BytesIO(data), formats=FORMATS) as image:
                _check_size(image.size)
                image.draft(None, _fit(image.size, side))
                image.load()
                return _normalise(image, side)
        except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
            raise InputError(f"too many pixels; wanted at most {MAX_PIXELS // 10**6} million ({error})") from error
        except UnidentifiedImageError as error:
            raise InputError(f"not a picture in {', '.join(FORMATS)}") from error
        except (OSError, SyntaxError, ValueError, EOFError) as error:  # What Pillow's decoders raise on damaged files.
            raise InputError(f"damaged: {error}") from error


def _check_size(size: tuple[int, int]) -> None:
    width, height = size
    if width * height > MAX_PIXELS:
        raise InputError(f"too many pixels: {width}x{height}; wanted at most {MAX_PIXELS // 10**6} million")
    if min(size) < MIN_SIDE:
        raise InputError(f"too small: {width}x{height}; wanted at least {MIN_SIDE} pixels each way")


def _normalise(image: Image.Image, side: int) -> Image.Image:
    alpha = _cutout_alpha(image)
    upright = to_srgb(image)
    if alpha is not None:
        upright.putalpha(alpha)
    turn = _TURNS.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    if turn is not None:
        upright = upright.transpose(turn)
    if max(upright.size) <= side:
        return upright
    return upright.resize(_fit(upright.size, side), Image.Resampling.LANCZOS, reducing_gap=3.0)


def _cutout_alpha(image: Image.Image) -> Image.Image | None:
    """The alpha channel where it separates an object from nothing; None where it does not."""
    if not image.has_transparency_data or image.mode == "I;16":
        return None
    alpha = image.convert("RGBA").getchannel("A")
    histogram = alpha.histogram()
    transparent = sum(histogram[:128])
    total = sum(histogram)
    if transparent == total:
        raise InputError("wholly transparent")
    return alpha if transparent >= MIN_TRANSPARENT * total else None


def _fit(size: tuple[int, int], side: int) -> tuple[int, int]:
    scale = min(1.0, side / max(size))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))
