"""Photos with transparent parts: cut-outs are kept, photos are segmented, and a warning says so."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from builder.records import Photo
from builder.sources.background_photos import find_backgrounds
from builder.sources.concepts import find_concepts
from builder.sources.photos import read_photo
from mycanvas.errors import InputError
from tests.builder.sources.concept_folders import only


def scene(width: int = 300, height: int = 300) -> Image.Image:
    """An opaque photo: a red disk on a blue wall."""
    image = Image.new("RGBA", (width, height), (40, 60, 180, 255))
    ImageDraw.Draw(image).ellipse((90, 90, 210, 210), fill=(200, 40, 40, 255))
    return image


def cut_out() -> Image.Image:
    image = scene()
    alpha = Image.new("L", image.size, 0)
    ImageDraw.Draw(alpha).ellipse((90, 90, 210, 210), fill=255)
    image.putalpha(alpha)
    return image


def framed() -> Image.Image:
    """A photo with a transparent border."""
    image = Image.new("RGBA", (340, 340))
    image.paste(scene(), (20, 20))
    return image


def faint() -> Image.Image:
    image = scene()
    image.putalpha(70)
    return image


PHOTOS = {
    "straightened": lambda: scene().rotate(3, Image.Resampling.BICUBIC, expand=True),
    "framed": framed,
    "faint": faint,
}


def read(image: Image.Image, folder: Path) -> Photo:
    (folder / "ball").mkdir()
    image.save(folder / "ball" / "1.png")
    (photo,) = only(find_concepts(folder)).photos
    return read_photo(photo, 1024)


@pytest.mark.parametrize("name", PHOTOS)
def test_photo_with_transparent_parts_is_segmented_with_a_warning(
    name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "mycanvas"):
        photo = read(PHOTOS[name](), tmp_path)

    assert photo.alpha is None
    (message,) = caplog.messages
    assert message.startswith("ball/1.png is partly transparent but no cut-out (")
    assert message.endswith("it is segmented as a photo")


def test_faint_photo_is_read_in_its_full_colours(tmp_path: Path) -> None:
    assert read(faint(), tmp_path).pixels[150, 150].tolist() == [200, 40, 40]


def test_cutout_keeps_its_alpha_without_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    photo = read(cut_out(), tmp_path)

    assert photo.alpha is not None
    assert (photo.pixels[photo.alpha == 0] == 128).all()
    assert photo.pixels[150, 150].tolist() == [200, 40, 40]
    assert not caplog.messages


def test_photo_is_rejected_as_background_for_any_transparent_part(tmp_path: Path) -> None:
    (tmp_path / "garden").mkdir()
    for name, make in PHOTOS.items():
        make().save(tmp_path / "garden" / f"{name}.png")

    with pytest.raises(InputError) as refused:
        find_backgrounds(tmp_path)

    assert str(refused.value).count("partly transparent; expected an opaque background") == len(PHOTOS)


def test_corners_that_are_rounded_do_not_make_a_photo_transparent(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    image = scene()
    alpha = Image.new("L", image.size, 0)
    ImageDraw.Draw(alpha).rounded_rectangle((0, 0, 299, 299), 12, fill=255)
    image.putalpha(alpha)

    photo = read(image, tmp_path)

    assert photo.alpha is None
    assert np.ptp(photo.pixels[0, 0]) == 0
    assert not caplog.messages
