"""The kind and size of a stored picture, from its header."""

from __future__ import annotations

import io
import warnings

from mycanvas.dataset.headers import plain_size
from mycanvas.dataset.records import Encoded
from mycanvas.errors import InputError
from mycanvas.io.text import printable

SUFFIXES = {"JPEG": (".jpg", ".jpeg"), "PNG": (".png",), "WEBP": (".webp",)}
"""Suffixes of the names of files by kind of picture, the usual one first."""
HEAD = 4096
"""Bytes that hold the header of most pictures. Copying all of a picture to read its header would take longer."""
_JPEG_OF_A_PHONE = "MPO"
"""Pillow's name for a JPEG with more pictures in it."""


def picture_kind(content: Encoded, kinds: list[str], name: str) -> tuple[str, tuple[int, int]]:
    """Read a picture's kind and its width and height in pixels; its pixels are not decoded.

    Args:
        content: the encoded picture.
        kinds: the allowed ones: "JPEG", "PNG", "WEBP".
        name: of the picture, for messages.

    Raises:
        InputError: it is of another kind, has a damaged header, or has more than mycanvas.io.images.MAX_PIXELS.
    """
    from mycanvas.io.images import MAX_PIXELS

    plain = plain_size(bytes(content[:HEAD]))
    if plain and plain[0] in kinds and plain[1][0] * plain[1][1] <= MAX_PIXELS:
        return plain

    from PIL import Image, UnidentifiedImageError

    from mycanvas.io.formats import DECODER_ERRORS

    limit = f"{MAX_PIXELS // 10**6} million pixels"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            try:
                image = Image.open(io.BytesIO(content[:HEAD]), formats=kinds)
            except DECODER_ERRORS:
                image = Image.open(io.BytesIO(content), formats=kinds)
            with image:
                kind, (width, height) = str(image.format), image.size
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise InputError(f"{name} has too many pixels; expected at most {limit} ({error})") from error
    except UnidentifiedImageError as error:
        raise InputError(f"{name} is not a picture in {', '.join(kinds)}, or its header is damaged") from error
    except DECODER_ERRORS as error:
        raise InputError(f"{name} cannot be read: {printable(str(error))}") from error
    if width * height > MAX_PIXELS:
        raise InputError(f"{name} has too many pixels: {width}x{height}; expected at most {limit}")
    return ("JPEG" if kind == _JPEG_OF_A_PHONE else kind), (width, height)
