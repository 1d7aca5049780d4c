"""From the bytes of a file that anyone may have made to pixels; what cannot be read is refused with its reason."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from mycanvas.errors import InputError
from mycanvas.io.colour import to_srgb

FORMATS = ("JPEG", "PNG", "WEBP")
MAX_PIXELS = 80_000_000
"""Below the 89 million at which Pillow warns of a decompression bomb."""
GREY = 128
"""What shows around an object that is cut out."""

Rgb = NDArray[np.uint8]
"""uint8 [H, W, 3]."""


def decode(data: bytes) -> Rgb:
    """The picture in a file's bytes, upright, in sRGB; 16-bit values are scaled, not clipped.

    Raises:
        InputError: not one of FORMATS, damaged, or too large.
    """
    return np.asarray(to_srgb(_open(data)))


def cut_out(photo: Rgb, mask: bytes) -> Rgb:
    """The object of a photo on grey, cropped to it.

    Args:
        photo: uint8 [H, W, 3].
        mask: a single-channel PNG of the same size, 255 = object.

    Raises:
        InputError: the mask cannot be read, is of another size, or shows nothing.
    """
    shown = np.asarray(_open(mask).convert("L")) > 127
    if shown.shape != photo.shape[:2] or not shown.any():
        raise InputError(f"its mask of {shown.shape[1]}x{shown.shape[0]} is empty or not of the photo's size")
    rows, columns = (np.flatnonzero(shown.any(axis=axis)) for axis in (1, 0))
    window = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    return np.where(shown[window][..., None], photo[window], np.uint8(GREY))


@contextmanager
def without_remarks() -> Iterator[None]:
    """Around decoding: without Pillow's remarks on odd metadata. Enter it in one thread, around those that decode.

    What Python warns of is decided for the whole process: threads that each change and restore that lose what it was.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\.")
        yield


def _open(data: bytes) -> Image.Image:
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            if image.width * image.height > MAX_PIXELS:
                raise InputError(f"{image.width}x{image.height}; wanted at most {MAX_PIXELS // 10**6} megapixels")
            image.load()
            return ImageOps.exif_transpose(image)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise InputError(f"too many pixels ({error})") from error
    except UnidentifiedImageError as error:
        raise InputError(f"not a picture in {', '.join(FORMATS)}") from error
    except (OSError, SyntaxError, ValueError, EOFError) as error:  # what Pillow raises on damaged files
        raise InputError(f"damaged: {error}") from error
