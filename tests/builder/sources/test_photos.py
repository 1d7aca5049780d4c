from __future__ import annotations

import hashlib
import io
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms

from builder.records import PhotoFile, Rgb
from builder.sources.photos import MIN_SIDE, read_photo
from mycanvas.errors import InputError
from mycanvas.io.images import MAX_PIXELS, quiet_decoding, read_file
from mycanvas.io.images import decode as decode_image

SIDE = 96


def encoded(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def gradient(width: int = SIDE, height: int = SIDE) -> Image.Image:
    """Red grows to the right, green downwards."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[..., 0] = np.linspace(0, 255, width, dtype=np.uint8)
    pixels[..., 1] = np.linspace(0, 255, height, dtype=np.uint8)[:, None]
    pixels[..., 2] = 40
    return Image.fromarray(pixels)


def decode(data: bytes, side: int) -> Image.Image:
    """A photo as a build reads it."""
    with quiet_decoding():
        return decode_image(data, side, min_side=MIN_SIDE).image


def pixels_of(data: bytes, side: int = 1024) -> Rgb:
    return np.asarray(decode(data, side).convert("RGB"))


def photo_file(folder: Path, data: bytes) -> PhotoFile:
    path = folder / "photo.png"
    path.write_bytes(data)
    return PhotoFile(id="cat/photo.png", path=path, sha256=hashlib.sha256(data).hexdigest())


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_the_three_formats_give_the_same_picture(kind: str) -> None:
    got = pixels_of(encoded(gradient(), kind, quality=95)).astype(int)

    assert np.abs(got - np.asarray(gradient())).mean() < 3


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_exif_orientation_comes_out_upright(orientation: int) -> None:
    """The stored picture is the upright one undone by Pillow's own table; reading must do it again."""
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    upright = gradient(120, 80)
    stored = upright.transpose(undo[orientation]) if orientation in undo else upright
    exif = Image.Exif()
    exif[274] = orientation

    assert np.array_equal(pixels_of(encoded(stored, "PNG", exif=exif)), np.asarray(upright))


def test_a_ready_cutout_is_turned_upright_with_its_photo() -> None:
    rgba = gradient(120, 80).convert("RGBA")
    rgba.putalpha(Image.fromarray(np.repeat(np.uint8([[0] * 80 + [255] * 40]), 80, axis=0)))
    exif = Image.Exif()
    exif[274] = 6

    alpha = np.asarray(decode(encoded(rgba, exif=exif), 1024))[..., 3]

    assert alpha.shape == (120, 80)
    assert alpha[:80].max() == 0
    assert alpha[80:].min() == 255


def test_broken_exif_does_not_cost_the_photo() -> None:
    assert pixels_of(encoded(gradient(), "JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0\xff\xff" + b"\1" * 30)).shape[0] == SIDE


def test_16_bit_grey_is_scaled_not_clipped() -> None:
    ramp = np.repeat(np.linspace(0, 65535, SIDE).astype(np.uint16)[None], SIDE, axis=0)

    got = pixels_of(encoded(Image.fromarray(ramp)))[0, :, 0].astype(int)

    assert np.abs(got - np.linspace(0, 255, SIDE)).max() <= 1


def test_cmyk_is_not_read_as_its_negative() -> None:
    red = Image.new("CMYK", (SIDE, SIDE), (0, 255, 255, 0))

    assert pixels_of(encoded(red, "JPEG", quality=95))[5, 5] == pytest.approx([255, 0, 0], abs=6)


def test_a_palette_keeps_its_colours_and_its_transparency() -> None:
    palette = Image.new("P", (SIDE, SIDE), 0)
    palette.putpalette([0, 0, 0, 10, 200, 30])
    palette.paste(1, (24, 24, 72, 72))

    image = decode(encoded(palette, transparency=0), 1024)

    assert image.mode == "RGBA"
    assert image.getpixel((48, 48)) == (10, 200, 30, 255)
    assert image.getpixel((2, 2)) == (128, 128, 128, 0)


@pytest.mark.parametrize("mode", ["1", "L", "LA"])
def test_grey_pictures_become_rgb(mode: str) -> None:
    image = decode(encoded(Image.new("L", (SIDE, SIDE), 255).convert(mode)), 1024)

    assert image.mode == "RGB"
    assert image.getpixel((9, 9)) == (255, 255, 255)


def test_colours_are_converted_from_an_embedded_profile() -> None:
    """From linear light, since there the right answer is a formula: IEC 61966-2-1."""
    profile = linear_profile()
    half = Image.new("RGB", (SIDE, SIDE), (55, 55, 55))

    plain = pixels_of(encoded(half))[0, 0, 0]
    converted = pixels_of(encoded(half, icc_profile=profile))[0, 0, 0]

    assert plain == 55
    assert converted == pytest.approx(255 * (1.055 * (55 / 255) ** (1 / 2.4) - 0.055), abs=2)


def linear_profile() -> bytes:
    """Pillow's sRGB profile with its curves replaced by straight lines."""
    data = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    tags = int.from_bytes(data[128:132], "big")
    for entry in (data[132 + 12 * i : 144 + 12 * i] for i in range(tags)):
        if bytes(entry[:4]) in (b"rTRC", b"gTRC", b"bTRC"):
            offset = int.from_bytes(entry[4:8], "big")
            data[offset : offset + 12] = b"curv" + bytes(8)
    return bytes(data)


@pytest.mark.parametrize("profile", [b"nonsense", b"\0" * 200])
def test_a_broken_profile_is_ignored(profile: bytes) -> None:
    assert np.array_equal(pixels_of(encoded(gradient(), icc_profile=profile)), np.asarray(gradient()))


def test_an_animation_gives_its_first_frame() -> None:
    frames = [Image.new("RGB", (SIDE, SIDE), colour) for colour in ("red", "blue")]

    for kind in ("WEBP", "PNG"):
        data = encoded(frames[0], kind, save_all=True, append_images=frames[1:], lossless=True)
        assert pixels_of(data)[0, 0] == pytest.approx([255, 0, 0], abs=3)


def test_only_alpha_that_is_used_counts_as_a_cutout() -> None:
    opaque = gradient().convert("RGBA")
    corner = opaque.copy()
    corner.putpixel((0, 0), (0, 0, 0, 0))

    assert decode(encoded(opaque), 1024).mode == "RGB"
    assert decode(encoded(corner), 1024).mode == "RGB"


def test_scaling_a_cutout_keeps_hidden_colours_out_of_its_edge() -> None:
    """Straight alpha must be averaged premultiplied, or what lies under the transparency bleeds in."""
    rgba = np.zeros((512, 512, 4), np.uint8)
    rgba[..., 1] = 255
    rgba[100:333, 100:333] = (255, 0, 0, 255)

    small = np.asarray(decode(encoded(Image.fromarray(rgba)), 100))

    assert small[small[..., 3] > 16][:, 1].max() <= 20


@pytest.mark.parametrize(("size", "side", "want"), [((300, 200), 150, (150, 100)), ((100, 80), 150, (100, 80))])
def test_the_longer_side_is_scaled_down_and_never_up(size: tuple[int, int], side: int, want: tuple[int, int]) -> None:
    for kind in ("JPEG", "PNG", "WEBP"):
        assert decode(encoded(gradient(*size), kind), side).size == want


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("share", [0.01, 0.3, 0.9, 0.99])
def test_a_truncated_file_is_refused_at_any_size(kind: str, share: float) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (200, 300, 3), dtype=np.uint8)
    data = encoded(Image.fromarray(noise), kind)

    for side in (64, 1024):
        with pytest.raises(InputError):
            decode(data[: int(len(data) * share)], side)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"just text, named .jpg", "not a picture in JPEG, PNG, WEBP"),
        (encoded(Image.new("RGB", (SIDE, SIDE)), "GIF"), "GIF is not read; expected JPEG, PNG, WEBP"),
        (
            encoded(Image.new("RGB", (SIDE, MIN_SIDE - 1))),
            f"too small: {SIDE}x{MIN_SIDE - 1}; expected at least {MIN_SIDE}",
        ),
        (encoded(Image.new("RGBA", (SIDE, SIDE))), "wholly transparent"),
    ],
)
def test_unusable_photo_is_refused_with_the_reason(data: bytes, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        decode(data, 1024)


@pytest.mark.parametrize("size", [(20_000, 20_000), (10_000, MAX_PIXELS // 10_000 + 1), (30_000, 3_000)])
def test_too_many_pixels_are_refused_before_any_is_decoded(size: tuple[int, int]) -> None:
    """The claimed pixels are not there: a decoder that runs first finds the file damaged instead."""
    with pytest.raises(InputError, match="too many pixels"):
        decode(png_with_size(encoded(Image.new("1", (SIDE, SIDE))), size), 1024)


def png_with_size(png: bytes, size: tuple[int, int]) -> bytes:
    """The same PNG, claiming another size in its header (with a right checksum)."""
    header = b"IHDR" + size[0].to_bytes(4, "big") + size[1].to_bytes(4, "big") + png[24:29]
    return png[:12] + header + zlib.crc32(header).to_bytes(4, "big") + png[33:]


def test_a_photo_is_read_with_its_alpha_between_0_and_1(tmp_path: Path) -> None:
    rgba = gradient().convert("RGBA")
    rgba.paste((0, 0, 0, 0), (0, 0, SIDE, SIDE - 30))
    rgba.paste((0, 0, 0, 51), (0, SIDE - 35, SIDE, SIDE - 30))

    photo = read_photo(photo_file(tmp_path, encoded(rgba)), 1024)

    assert photo.id == "cat/photo.png"
    assert photo.pixels.shape == (SIDE, SIDE, 3)
    assert photo.alpha is not None
    assert photo.alpha.dtype == np.float32
    assert photo.alpha[0, 0] == 0
    assert photo.alpha[SIDE - 32, 0] == pytest.approx(0.2)
    assert photo.alpha[-1, 0] == 1


def test_an_opaque_photo_has_no_alpha(tmp_path: Path) -> None:
    assert read_photo(photo_file(tmp_path, encoded(gradient())), 50).alpha is None


def test_a_photo_that_changed_since_it_was_found_is_refused(tmp_path: Path) -> None:
    file = photo_file(tmp_path, encoded(gradient()))
    file.path.write_bytes(encoded(gradient(100, 100)))

    with pytest.raises(InputError, match=r"photo\.png has changed"):
        read_photo(file, 1024)


def test_folders_and_missing_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="a folder"):
        read_file(tmp_path)
    with pytest.raises(InputError, match="No such file"):
        read_file(tmp_path / "none.jpg")


def test_a_file_too_large_to_be_a_photo_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "disk.jpg"
    with path.open("wb") as file:
        file.truncate(10 * 2**30)

    with pytest.raises(InputError, match="10240 MiB"):
        read_file(path)
