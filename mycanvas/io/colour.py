"""Convert decoded images to 8-bit sRGB."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageCms

_SPACES = {"RGB": "RGB ", "L": "GRAY", "CMYK": "CMYK"}
"""The colour space that an ICC profile for each of Pillow's modes names (ICC.1:2022, table 19)."""
_SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))


def to_srgb(image: Image.Image) -> Image.Image:
    """Convert an image to mode RGB, in sRGB.

    16-bit values are scaled, not clipped. Colour profiles (Display P3 phones, CMYK print) are converted from; a profile
    that is broken or belongs to another colour space is ignored.
    """
    profile = image.info.get("icc_profile")
    if image.mode == "I;16":  # Pillow would convert it to white
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
    return image if image.mode == "RGB" else image.convert("RGB")
