"""Read one photo file: upright sRGB pixels, the alpha of a file that is a ready cut-out, and its mask."""

from __future__ import annotations

import hashlib
from pathlib import Path

import cv2
import numpy as np

from builder.records import Alpha, MaskFile, Photo, PhotoFile
from mycanvas.errors import InputError
from mycanvas.io.images import decode, decode_mask, quiet_decoding, read_file

MIN_SIDE = 64
"""Fewest pixels of the shorter side; a smaller object can neither be cut out nor enlarged into a scene."""


def read_photo(file: PhotoFile, side: int) -> Photo:
    """Read a photo at the size at which it is used.

    Args:
        file: a photo that `find_concepts` returned.
        side: the longer side is scaled down to this many pixels; a smaller photo keeps its size.

    Returns:
        uint8 [H, W, 3] pixels in sRGB, upright; the alpha, float32 [H, W] in [0, 1], where the file is a cut-out; and
        the user's mask of it, of the same form.

    Raises:
        InputError: the file cannot be read, or has changed since it was found.
    """
    data = _read_unchanged(file.path, file.sha256)
    try:
        with quiet_decoding():
            image, _ = decode(data, side, min_side=MIN_SIDE)
    except InputError as error:
        raise InputError(f"{file.path}: {error}") from error
    pixels = np.asarray(image)
    alpha = None
    if image.mode == "RGBA":
        alpha = pixels[..., 3].astype(np.float32) / np.float32(255)
        pixels = np.ascontiguousarray(pixels[..., :3])
    mask = _read_mask(file.outline, pixels.shape) if file.outline else None
    if mask is not None and alpha is not None:  # no colours are known where the file is transparent
        mask = np.minimum(mask, alpha)
    return Photo(id=file.id, pixels=pixels, alpha=alpha, mask=mask)


def _read_unchanged(path: Path, sha256: str) -> bytes:
    data = read_file(path)
    if hashlib.sha256(data).hexdigest() != sha256:
        raise InputError(f"{path} has changed since the build was planned; restore it, or use another --output")
    return data


def _read_mask(file: MaskFile, shape: tuple[int, ...]) -> Alpha:
    """Read a mask at the size of its photo."""
    data = _read_unchanged(file.path, file.sha256)
    with quiet_decoding():
        mask = decode_mask(data)
    resized: Alpha = cv2.resize(mask, (shape[1], shape[0]), interpolation=cv2.INTER_AREA)
    return resized
