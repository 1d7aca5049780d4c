"""Pictures as files have them -> 8 bits a colour, in sRGB."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageCms

_SPACES = {"RGB": "RGB ", "L": "GRAY", "CMYK": "CMYK"}
"""Pillow's mode -> the colour space that an ICC profile for it names (ICC.1:2022, table 19)."""
_SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))


def to_srgb(image: Image.Image) -> Image.Image:
    """The picture in mode RGB.

    16-bit values are scaled, not clipped. Colour profiles (Display P3 phones, CMYK print) are converted from; one that
    is broken or meant for another colour space is ignored.
    """
    profile = image.info.get("icc_profile")
    if image.mode == "I;16":  # of which Pillow would make white
        image = Image.fromarray((np.asarray(image) // 257).astype(np.uint8))
    elif image.mode not in _SPACES:
        image = image.convert("RGB")
    if profile:
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            if source.profile.xcolor_space == _SPACES[image.mode]:
                converted = ImageCms.profileToProfile(image, source, _SRGB, outputMode="RGB")
                return converted or image.convert("RGB")
        except (ImageCms.PyCMSError, OSError):
            pass
    return image.convert("RGB")
