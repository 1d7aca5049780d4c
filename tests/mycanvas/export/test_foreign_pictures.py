"""Pictures that this program did not encode: a header is read before anything is decoded or written."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from mycanvas.errors import InputError
from mycanvas.export import FORMATS, export
from mycanvas.export.selection import Selection
from tests.mycanvas.conftest import encoded
from tests.mycanvas.export.conftest import Foreign, photo_row, picture


def jpeg_bomb(side: int) -> bytes:
    """A JPEG whose header claims `side` pixels each way."""
    content = encoded(Image.new("RGB", (16, 12)), "JPEG")
    at = content.index(b"\xff\xc0") + 5
    return content[:at] + struct.pack(">HH", side, side) + content[at + 4 :]


def png_bomb(side: int) -> bytes:
    """A PNG whose header claims `side` pixels each way."""
    content = encoded(Image.new("P", (16, 12)), "PNG")
    header = b"IHDR" + struct.pack(">II", side, side) + content[24:29]
    return content[:12] + header + struct.pack(">I", zlib.crc32(header)) + content[33:]


@pytest.mark.parametrize("name", sorted(set(FORMATS) - {"mds", "layers"}))
@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"image": picture(jpeg_bomb(65_000))}, "the image of scene s1 of .* has too many pixels"),
        ({"image": picture(jpeg_bomb(9_000))}, "the image of scene s1 of .* 9000x9000; expected at most 80 million"),
        ({"mask": picture(png_bomb(100_000))}, "the mask of scene s1 of .* has too many pixels"),
        ({"mask": picture(png_bomb(9_200))}, "the mask of scene s1 of .* 9200x9200; expected at most 80 million"),
        ({"mask": picture(jpeg_bomb(16))}, "the mask of scene s1 of .* is not a picture in PNG"),
    ],
)
def test_a_bomb_is_refused_by_every_format(
    foreign: Foreign, out: Path, name: str, changed: dict[str, Any], said: str
) -> None:
    folder = foreign([{}, changed])

    with pytest.raises(InputError, match=said):
        export(folder, name, out)
    assert not out.exists()


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"image": picture(jpeg_bomb(65_000))}, "the source photo dog6/a.png of .* has too many pixels"),
        ({"image": picture(None)}, "the source photo dog6/a.png of .* is not a picture in JPEG, PNG, WEBP"),
        ({"image": picture(b"<svg/>")}, "the source photo dog6/a.png of .* is not a picture in JPEG, PNG, WEBP"),
        ({"mask": picture(png_bomb(60_000)), "quality": 1.0}, "the mask of the source photo dog6/a.png of .* too many"),
        ({"mask": picture(b"\x89PNG"), "quality": 1.0}, "the mask of the source photo dog6/a.png of .* is not a pic"),
    ],
)
def test_a_photo_that_cannot_be_exported_is_named(
    foreign: Foreign, out: Path, changed: dict[str, Any], said: str
) -> None:
    with pytest.raises(InputError, match=said):
        export(foreign([{}], [photo_row("dog6/a.png", **changed)]), "custom-diffusion", out)
    assert not out.exists()


def test_a_mask_that_is_cut_off_is_named(foreign: Foreign, out: Path) -> None:
    mask = encoded(Image.effect_noise((16, 12), 50), "PNG")

    with pytest.raises(InputError, match="the mask of scene s0 cannot be read"):
        export(foreign([{"mask": picture(mask[: len(mask) // 2])}]), "coco", out)


def test_class_picture_that_onetrainer_takes_for_a_mask_is_refused(foreign: Foreign, tmp_path: Path, out: Path) -> None:
    (tmp_path / "classes/dog").mkdir(parents=True)
    Image.new("RGB", (64, 48)).save(tmp_path / "classes/dog/a-masklabel.png")

    with pytest.raises(InputError, match=r"got dog\+a-masklabel\.png; rename the picture"):
        export(foreign([{}]), "onetrainer", out, Selection(regularization=tmp_path / "classes"))
