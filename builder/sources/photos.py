"""Read one photo file: upright sRGB pixels and the alpha of a file that is a ready cut-out."""

from __future__ import annotations

import hashlib

import numpy as np

from builder.records import Photo, PhotoFile
from mycanvas.errors import InputError
from mycanvas.io.images import decode, quiet_decoding, read_file

MIN_SIDE = 64
"""Fewest pixels of the shorter side; a smaller object can neither be cut out nor enlarged into a scene."""


def read_photo(file: PhotoFile, side: int) -> Photo:
    """Read a photo at the size at which it is used.

    Args:
        file: a photo that `find_concepts` returned.
        side: the longer side is scaled down to this many pixels; a smaller photo keeps its size.

    Returns:
        uint8 [H, W, 3] pixels in sRGB, upright; and the alpha, float32 [H, W] in [0, 1], where the file is a cut-out.

    Raises:
        InputError: the file cannot be read, or has changed since it was found.
    """
    data = read_file(file.path)
    if hashlib.sha256(data).hexdigest() != file.sha256:
        raise InputError(f"{file.path} has changed since the build was planned; restore it, or use another --output")
    try:
        with quiet_decoding():
            image, _ = decode(data, side, min_side=MIN_SIDE)
    except InputError as error:
        raise InputError(f"{file.path}: {error}") from error
    pixels = np.asarray(image)
    if image.mode == "RGB":
        return Photo(id=file.id, pixels=pixels)
    alpha = pixels[..., 3].astype(np.float32) / np.float32(255)
    return Photo(id=file.id, pixels=np.ascontiguousarray(pixels[..., :3]), alpha=alpha)
