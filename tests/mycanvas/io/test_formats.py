"""Formats by content, large JPEG files, PNG files with large chunks, HEIF and AVIF."""

from __future__ import annotations

import io
import struct
import sys
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms, PngImagePlugin, features

from mycanvas.errors import InputError
from mycanvas.io.formats import format_of, is_streamed
from mycanvas.io.images import MAX_PIXELS, decode, decode_mask, decode_rgb, quiet_decoding, upright_size


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def decoded(data: bytes, side: int | None = 256) -> Image.Image:
    with quiet_decoding():
        return decode(data, side).image


def halves(width: int, height: int, mode: str = "RGB") -> Image.Image:
    image = Image.new(mode, (width, height), "white")
    image.paste("black", (0, 0, width // 2, height))
    return image


LARGE = (16_000, 12_000)
"""Pixels of a phone's largest photos: more than Pillow opens, in a JPEG of little content."""


@pytest.fixture(scope="module")
def large() -> bytes:
    return encoded(halves(*LARGE, "L"), "JPEG", quality=20)


def test_large_baseline_jpeg_is_scaled_down_as_it_is_decoded(large: bytes) -> None:
    image = decoded(large)

    assert image.size == (256, 192)
    assert (image.getpixel((60, 90)), image.getpixel((200, 90))) == ((0, 0, 0), (253, 253, 253))


def test_large_jpeg_is_refused_at_its_own_size(large: bytes) -> None:
    with pytest.raises(InputError, match="too many pixels: 16000x12000; expected at most 80 million"):
        decoded(large, None)
    with pytest.raises(InputError, match="too many pixels"), quiet_decoding():
        decode_rgb(large)


def with_size(jpeg: bytes, width: int, height: int) -> bytes:
    """A JPEG that claims another size."""
    place = next(jpeg.index(bytes((0xFF, marker))) for marker in (0xC0, 0xC2) if bytes((0xFF, marker, 0)) in jpeg)
    return jpeg[: place + 5] + height.to_bytes(2, "big") + width.to_bytes(2, "big") + jpeg[place + 9 :]


def test_progressive_jpeg_keeps_the_lower_limit() -> None:
    progressive = encoded(halves(320, 240), "JPEG", progressive=True)

    with pytest.raises(InputError, match="too many pixels: 10000x9000; expected at most 80 million"):
        decoded(with_size(progressive, 10_000, 9_000))


def test_jpeg_of_one_scan_for_each_colour_keeps_the_lower_limit() -> None:
    """Its decoder keeps all coefficients, as that of a progressive one does, though it is baseline."""
    several = with_size(encoded(halves(320, 240), "JPEG"), 10_000, 9_000)
    scan = several.index(b"\xff\xda")
    several = several[:scan] + b"\xff\xda\0\x08\x01\x01\0\0\x3f\0" + several[scan + 14 :]

    assert not is_streamed(several)
    with pytest.raises(InputError, match="too many pixels: 10000x9000; expected at most 80 million"):
        decoded(several)


def test_jpeg_above_the_largest_phone_photo_is_refused() -> None:
    with pytest.raises(InputError, match="too many pixels: 20000x12000; expected at most 201 million"):
        decoded(with_size(encoded(halves(320, 240), "JPEG"), 20_000, 12_000))


def test_narrow_jpeg_whose_reduced_size_is_still_too_large_is_refused() -> None:
    with pytest.raises(InputError, match=f"expected at most {MAX_PIXELS // 10**6} million"):
        decoded(with_size(encoded(halves(320, 240), "JPEG"), 16_000, 12_000), 16_000)


@pytest.mark.parametrize("restart", [0, 4])
def test_baseline_jpeg_with_metadata_and_restarts_is_streamed(restart: int) -> None:
    exif = Image.Exif()
    exif[270] = "a scan \xff\xda in the description" * 40

    assert is_streamed(encoded(halves(320, 240), "JPEG", exif=exif, restart_marker_blocks=restart))
    assert not is_streamed(encoded(halves(320, 240), "JPEG", exif=exif, progressive=True))


def large_profile() -> bytes:
    """An sRGB profile with a private tag of two megabytes that does not compress."""
    data = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    data += np.random.default_rng(0).bytes(2 * 2**20)
    data[:4] = len(data).to_bytes(4, "big")
    return bytes(data)


def text_chunk(keyword: str, *, compressed: bool, international: bool) -> PngImagePlugin.PngInfo:
    info = PngImagePlugin.PngInfo()
    text = "history of edits " * 200_000
    if international:
        info.add_itxt(keyword, text, zip=compressed)
    else:
        info.add_text(keyword, text, zip=compressed)
    return info


@pytest.mark.parametrize("international", [False, True])
@pytest.mark.parametrize("compressed", [False, True])
def test_png_with_a_large_text_is_read(compressed: bool, international: bool) -> None:
    info = text_chunk("XML:com.adobe.xmp", compressed=compressed, international=international)

    assert decoded(encoded(halves(320, 240), "PNG", pnginfo=info)).size == (256, 192)


def test_png_with_a_large_profile_is_read() -> None:
    assert decoded(encoded(halves(320, 240), "PNG", icc_profile=large_profile())).getpixel((200, 90)) == (255, 255, 255)


def test_limit_of_pillow_is_as_before_afterwards() -> None:
    before = PngImagePlugin.MAX_TEXT_CHUNK
    info = text_chunk("Comment", compressed=True, international=False)

    decoded(encoded(halves(320, 240), "PNG", pnginfo=info))

    assert before == PngImagePlugin.MAX_TEXT_CHUNK


def test_text_that_unpacks_to_more_than_all_texts_may_have_is_refused() -> None:
    info = PngImagePlugin.PngInfo()
    info.add_text("Comment", "x" * (PngImagePlugin.MAX_TEXT_MEMORY + 1), zip=True)

    with pytest.raises(InputError, match=r"damaged: .*too large"):
        decoded(encoded(halves(64, 64), "PNG", pnginfo=info))


def test_first_picture_of_a_multi_picture_file_is_read() -> None:
    data = encoded(halves(320, 240), "MPO", save_all=True, append_images=[Image.new("RGB", (320, 240), "red")])

    assert format_of(data) == "JPEG"
    assert decoded(data).getpixel((200, 90)) == (255, 255, 255)


@pytest.mark.skipif(not features.check("avif"), reason="this Pillow does not read AVIF")
def test_avif_is_read() -> None:
    image = decoded(encoded(halves(320, 240), "AVIF"))

    assert image.size == (256, 192)
    assert image.getpixel((200, 90)) == pytest.approx((255, 255, 255), abs=3)


def test_heif_without_its_package_is_refused_with_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)

    with pytest.raises(InputError, match=r"HEIF \(\.heic\): .*pip install 'mycanvas\[heif\]', or save it as \.jpg"):
        decoded(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100))


def test_heif_is_read_upright_and_at_full_quality() -> None:
    heif = pytest.importorskip("pillow_heif")
    exif = Image.Exif()
    exif[274] = 6
    stream = io.BytesIO()
    heif.from_pillow(halves(320, 240)).save(stream, format="HEIF", quality=90, exif=exif.tobytes())
    data = stream.getvalue()

    image = decoded(data)

    assert format_of(data) == "HEIF"
    assert image.size == (192, 256)
    assert image.getpixel((90, 40)) == pytest.approx((0, 0, 0), abs=4)
    assert image.getpixel((90, 200)) == pytest.approx((255, 255, 255), abs=4)
    with pytest.raises(InputError, match="damaged"):
        decoded(data[: len(data) // 2])


@pytest.mark.parametrize(
    ("start", "name"),
    [
        (b"\0\0\0\x1cftypmif1\0\0\0\0mif1avif", "AVIF"),
        (b"\0\0\0\x18ftypheix\0\0\0\0", "HEIF"),
        (b"\0\0\0\x18ftypcrx \0\0\0\0", "a raw photo"),
        (b"\0\0\0\x18ftypisom\0\0\0\0mp42", None),
        (b"II*\0\x10\0\0\0CR", "TIFF or a raw photo"),
        (b"\xff\x0a\xfa", "JPEG XL"),
        (b"BM is how this text begins", None),
        (b"", None),
    ],
)
def test_format_is_known_by_the_first_bytes(start: bytes, name: str | None) -> None:
    assert format_of(start) == name


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


@pytest.mark.parametrize("use", [decode, decode_rgb, decode_mask])
@pytest.mark.parametrize(("kind", "content"), [(b"gAMA", b"\1"), (b"tRNS", b"\1"), (b"cHRM", b"\1")])
def test_a_short_chunk_after_the_pixels_is_damage(use: Callable[[bytes], object], kind: bytes, content: bytes) -> None:
    whole = encoded(halves(8, 8), "PNG")
    end = whole.index(b"IEND") - 4

    with quiet_decoding(), pytest.raises(InputError, match="damaged: "):
        use(whole[:end] + chunk(kind, content) + whole[end:])


@pytest.mark.parametrize("use", [decode, decode_rgb, decode_mask])
def test_a_png_whose_palette_is_missing_is_damage(use: Callable[[bytes], object]) -> None:
    whole = encoded(halves(8, 8).quantize(2), "PNG", transparency=b"\0\xff")
    palette, transparency = (whole.index(name) - 4 for name in (b"PLTE", b"tRNS"))

    with quiet_decoding(), pytest.raises(InputError, match="damaged: "):
        use(whole[:palette] + whole[transparency:])


@pytest.mark.parametrize("mode", ["RGBA", "P"])
def test_a_picture_that_is_one_long_line_is_refused_before_it_is_decoded(mode: str) -> None:
    with quiet_decoding(), pytest.raises(InputError, match="too long: 3x65536; expected at most 65535 pixels each way"):
        decode(encoded(Image.new(mode, (3, 65_536)), "PNG"), 64)
    with quiet_decoding():
        assert decode(encoded(Image.new("RGB", (3, 65_535)), "PNG"), 64).image.size == (1, 64)


@pytest.mark.parametrize("data", [b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"RIFF\4\0\0\0WEBP", b"not a picture"])
def test_a_size_that_cannot_be_read_is_damage(data: bytes) -> None:
    with quiet_decoding(), pytest.raises(InputError):
        upright_size(data)


def test_jpeg_that_is_cut_off_anywhere_is_not_an_error() -> None:
    whole = encoded(halves(32, 24), "JPEG")

    found = [is_streamed(whole[:length]) for length in range(len(whole))]

    assert found == sorted(found), "once its scan has begun, a longer part of it tells no less"
