"""Picture formats by a file's first bytes: those that are read, and those that are only named."""

from __future__ import annotations

import re
import struct

from PIL import ImageFile, features

from mycanvas.errors import MissingExtra

READABLE = ("JPEG", "PNG", "WEBP", *(("AVIF",) if "avif" in features.get_supported_modules() else ()), "HEIF")
"""Formats that are read, by Pillow's names; AVIF where Pillow was built with it, HEIF with the extra `heif`."""
DECODER_ERRORS = (
    *(OSError, SyntaxError, ValueError, EOFError, RuntimeError, struct.error),
    *(LookupError, TypeError, ArithmeticError, AssertionError),
)
"""Errors that Pillow raises on damaged files: its decoders let many kinds through."""
START = 64
"""Bytes of a file that show its format."""

_STARTS = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"GIF8", "GIF"),
    (b"II*\0", "TIFF or a raw photo"),
    (b"MM\0*", "TIFF or a raw photo"),
    (b"\xff\x0a", "JPEG XL"),
    (b"\0\0\0\x0cJXL ", "JPEG XL"),
    (b"\0\0\0\x0cjP  ", "JPEG 2000"),
    (b"\xff\x4f\xff\x51", "JPEG 2000"),
    (b"FUJIFILMCCD-RAW", "a raw photo"),
    (b"8BPS", "Photoshop"),
)
_BRANDS = ((b"avif", "AVIF"), (b"avis", "AVIF"), (b"crx ", "a raw photo"), (b"mif1", "HEIF"), (b"msf1", "HEIF"))
"""Brands of ISO base media files (ISO/IEC 14496-12, ISO/IEC 23008-12), the more specific first."""


def format_of(start: bytes | memoryview) -> str | None:
    """The format of a picture by its first START bytes; None: it is no picture that is known here."""
    start = bytes(start[:START])
    if start[:4] == b"RIFF" and start[8:12] == b"WEBP":
        return "WEBP"
    if start[:2] == b"BM" and start[6:10] == bytes(4):
        return "BMP"
    if start[4:8] == b"ftyp":
        brands = start[8 : int.from_bytes(start[:4], "big")]
        found = [name for brand, name in _BRANDS if brand in brands]
        return found[0] if found else "HEIF" if re.match(b"he[iv][cxms]", brands) else None
    return next((name for magic, name in _STARTS if start.startswith(magic)), None)


def is_streamed(jpeg: bytes | memoryview) -> bool:
    """Whether a JPEG is decoded row by row: baseline, all its colours in one scan.

    Of a progressive one, or one with a scan for each colour, the decoder keeps the coefficients of all pixels, also
    when it scales down.
    """
    place, components, baseline = 2, 0, False
    while place + 4 < len(jpeg) and jpeg[place] == 0xFF:
        marker = jpeg[place + 1]
        if marker == 0xFF:  # a fill byte
            place += 1
            continue
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC) and place + 9 < len(jpeg):
            baseline, components = marker in (0xC0, 0xC1), jpeg[place + 9]
        if marker == 0xDA:
            return baseline and jpeg[place + 4] == components
        place += 2 + int.from_bytes(jpeg[place + 2 : place + 4], "big")
    return False


def heif_class() -> type[ImageFile.ImageFile]:
    """The class that opens HEIF (.heic) files.

    Raises:
        MissingExtra: pillow-heif is not installed.
    """
    try:
        from pillow_heif import HeifImageFile
    except ImportError as error:
        raise MissingExtra("pillow-heif", extra="heif") from error
    opener: type[ImageFile.ImageFile] = HeifImageFile
    return opener
