"""One photo file -> upright sRGB pixels and, where the file brings one, its ready cut-out."""

from __future__ import annotations

import hashlib

import numpy as np

from builder.records import Photo, PhotoFile
from mycanvas.errors import InputError
from mycanvas.io.images import decode, quiet_decoding, read_file

MIN_SIDE = 64
"""Pixels of the shorter side; a smaller object cannot be cut out, nor enlarged into a scene."""


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
    data = read_file(file.path)
    if hashlib.sha256(data).hexdigest() != file.sha256:
        raise InputError(f"{file.path} has changed since the build was planned; start again with another output")
    try:
        with quiet_decoding():
            image = decode(data, side, min_side=MIN_SIDE)
    except InputError as error:
        raise InputError(f"{file.path}: {error}") from error
    pixels = np.asarray(image)
    if image.mode == "RGB":
        return Photo(id=file.id, pixels=pixels)
    alpha = pixels[..., 3].astype(np.float32) / np.float32(255)
    return Photo(id=file.id, pixels=np.ascontiguousarray(pixels[..., :3]), alpha=alpha)
