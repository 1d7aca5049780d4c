"""The sizes of plain pictures, read without Pillow, beside Pillow's own."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mycanvas.dataset import picture_kind
from mycanvas.dataset.headers import plain_size
from mycanvas.errors import InputError
from mycanvas.io.images import encode_index_mask, encode_jpeg, encode_png

RGB = np.random.default_rng(0).integers(0, 256, (37, 53, 3), np.uint8)
WRITTEN: dict[str, Callable[[], bytes]] = {
    "scene": lambda: encode_jpeg(RGB),
    "scene's mask": lambda: encode_index_mask(RGB[..., 0] % 6),
    "photo's mask": lambda: encode_png(RGB[..., 0]),
}
"""Pictures that a build writes."""


def of_pillow(content: bytes) -> tuple[str, tuple[int, int]] | None:
    try:
        with Image.open(io.BytesIO(content), formats=["JPEG", "PNG"]) as image:
            return str(image.format), image.size
    except (OSError, SyntaxError, ValueError, EOFError):
        return None


@pytest.mark.parametrize("name", WRITTEN)
def test_size_of_what_a_build_writes_is_read(name: str) -> None:
    content = WRITTEN[name]()

    assert plain_size(content[:4096]) == of_pillow(content) == ("JPEG" if name == "scene" else "PNG", (53, 37))


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("name", WRITTEN)
def test_a_size_is_read_from_a_damaged_header_only_where_pillow_reads_the_same(name: str) -> None:
    content = WRITTEN[name]()
    for place in range(min(len(content) - 1, 640)):
        for changed in (0, 255, content[place] ^ 1, content[place] ^ 128):
            damaged = content[:place] + bytes([changed]) + content[place + 1 :]
            assert plain_size(damaged[:4096]) in (None, of_pillow(damaged)), (place, changed)


@pytest.mark.parametrize("name", WRITTEN)
def test_a_header_that_is_cut_short_gives_no_size(name: str) -> None:
    content = WRITTEN[name]()
    known = [length for length in range(len(content)) if plain_size(content[:length])]

    assert known == list(range(known[0], len(content)))
    assert all(of_pillow(content[:length]) for length in (known[0], known[-1]))


def test_other_kinds_of_picture_are_left_to_pillow() -> None:
    turned = Image.Exif()
    turned[0x0112] = 6  # orientation
    kinds: list[tuple[str, str, dict[str, Any]]] = [
        ("CMYK", "JPEG", {}),
        ("RGB", "JPEG", {"exif": turned}),
        ("RGB", "PNG", {"dpi": (72, 72)}),
        ("RGB", "WEBP", {}),
    ]
    for mode, kind, options in kinds:
        buffer = io.BytesIO()
        Image.fromarray(RGB).convert(mode).save(buffer, kind, **options)
        assert plain_size(buffer.getvalue()) is None
        assert picture_kind(buffer.getvalue(), [kind], "it") == (kind, (53, 37))


def test_a_plain_picture_of_another_kind_or_of_too_many_pixels_is_refused() -> None:
    with pytest.raises(InputError, match="it is not a picture in PNG"):
        picture_kind(WRITTEN["scene"](), ["PNG"], "it")
    jpeg = WRITTEN["scene"]()
    with pytest.raises(InputError, match="it has too many pixels"):
        picture_kind(jpeg.replace(b"\0\x25\0\x35", b"\xff\x00\xff\x00"), ["JPEG"], "it")
