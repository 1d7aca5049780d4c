"""PNG files with a mark of this program near their beginning, so that pictures of others are not overwritten."""

from __future__ import annotations

import io
from pathlib import Path

from PIL import Image, PngImagePlugin

_START = 256
"""Bytes of a file that hold its mark."""


def encode_marked(image: Image.Image, made_by: str) -> bytes:
    """Encode a PNG with the name of the command that made it."""
    text, buffer = PngImagePlugin.PngInfo(), io.BytesIO()
    text.add_text("Software", made_by)
    image.save(buffer, format="PNG", pnginfo=text)
    return buffer.getvalue()


def is_marked(file: Path, made_by: str) -> bool:
    """Whether a file is a PNG that this command made."""
    try:
        with file.open("rb") as opened:
            head = opened.read(_START)
    except OSError:
        return False
    return head.startswith(b"\x89PNG\r\n\x1a\n") and made_by.encode() in head
