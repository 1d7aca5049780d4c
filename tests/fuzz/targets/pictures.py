"""Encoded pictures of each format with damage, and with headers that lie."""

from __future__ import annotations

import functools
import io
import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random

import numpy as np
from PIL import Image, ImageCms, PngImagePlugin

from builder.inspect.contact_sheet import contact_sheet
from mycanvas.dataset import Photo, Scene, picture_kind
from mycanvas.dataset.headers import plain_size
from mycanvas.errors import InputError
from mycanvas.export.masks import objects_of
from mycanvas.export.photo_files import photo_content
from mycanvas.io.formats import format_of, is_streamed
from mycanvas.io.images import MAX_PIXELS, cut_out, decode, decode_mask, decode_rgb, quiet_decoding, upright_size
from tests.fuzz.draws import damaged
from tests.fuzz.target import Target, check_message, require

SIDES = (0, 1, 2, 7, 8, 64, 255, 256, 4096, 8944, 9000, 16_384, 65_535, 2**31 - 1, 2**31, 2**32 - 1)
EXIF = Image.Exif()
EXIF[0x0112], EXIF[0x010E] = 6, "a photo"
PIECES = (
    *(
        b"\xff\xd8",
        b"\xff\xc0",
        b"\xff\xc2",
        b"\xff\xda",
        b"\xff\xff",
        b"\xff\xe1\0\0",
        b"Exif\0\0",
        b"II*\0",
        b"MM\0*",
        b"JFIF\0",
    ),
    *(
        b"IHDR",
        b"PLTE",
        b"IDAT",
        b"tRNS",
        b"iCCP",
        b"zTXt",
        b"iTXt",
        b"eXIf",
        b"acTL",
        b"fcTL",
        b"IEND",
        b"gAMA",
        b"RIFF",
        b"WEBP",
    ),
    *(
        b"VP8X",
        b"VP8L",
        b"VP8 ",
        b"ALPH",
        b"ANIM",
        b"ICCP",
        b"ftypavif",
        b"ispe",
        b"iloc",
        b"mdat",
        b"irot\3",
        b"imir",
        b"\0\0\0\1",
    ),
)


def targets(_scratch: Path) -> Iterator[Target]:
    """The targets of this file."""
    yield Target(name="pictures", draw=_draw, check=_check, inputs=52_000, seconds=60.0)
    yield Target(name="pictures of scenes", draw=_draw_stored, check=_check_scene, inputs=5_000, seconds=60.0)


@functools.cache
def _seeds() -> tuple[bytes, ...]:
    """Small pictures of every format, mode and option that matters."""
    rows, columns = np.mgrid[0:24, 0:32]
    grey = Image.fromarray((rows * 9 + columns).astype(np.uint8))
    rgb = Image.merge(
        "RGB", (grey, grey.transpose(Image.Transpose.FLIP_LEFT_RIGHT), grey.point(lambda level: 255 - level))
    )
    disc = Image.fromarray(((rows - 12) ** 2 + (columns - 16) ** 2 < 80).astype(np.uint8) * 255)
    rgba = rgb.copy()
    rgba.putalpha(disc)
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    note = PngImagePlugin.PngInfo()
    note.add_text("Comment", "note", zip=True)
    note.add_itxt("XML:com.adobe.xmp", "<x/>", zip=True)
    palette = rgb.quantize(16)
    deep = Image.fromarray((rows * 2000 + columns).astype(np.uint16))
    saved: list[tuple[Image.Image, str, dict[str, object]]] = [
        (rgb, "JPEG", {"exif": EXIF, "icc_profile": profile}),
        (rgb, "JPEG", {"progressive": True}),
        (rgb, "JPEG", {"subsampling": 2, "comment": b"x", "restart_marker_rows": 1}),
        (grey, "JPEG", {}),
        (rgb.convert("CMYK"), "JPEG", {}),
        (rgb, "PNG", {"exif": EXIF, "icc_profile": profile, "pnginfo": note}),
        (rgba, "PNG", {}),
        (palette, "PNG", {"transparency": bytes(range(0, 256, 16))}),
        (palette, "PNG", {"transparency": 3}),
        (grey, "PNG", {"transparency": 5}),
        (rgb, "PNG", {"transparency": (1, 2, 3)}),
        (rgba.convert("LA"), "PNG", {}),
        (disc.convert("1"), "PNG", {"transparency": 1}),
        (deep, "PNG", {}),
        (disc, "PNG", {}),
        (rgba, "PNG", {"save_all": True, "append_images": [rgba.rotate(90)], "duration": 50}),
        (rgb, "WEBP", {"exif": EXIF, "icc_profile": profile}),
        (rgba, "WEBP", {"lossless": True}),
        (rgba, "WEBP", {"save_all": True, "append_images": [rgba.rotate(90)], "duration": 50}),
        (rgb, "AVIF", {"exif": EXIF, "icc_profile": profile}),
        (rgba, "AVIF", {}),
        (rgb, "GIF", {}),
        (rgb, "TIFF", {}),
        (rgb, "BMP", {}),
        (rgb, "JPEG2000", {}),
        (rgb, "ICO", {}),
        (rgb, "PPM", {}),
        (rgb, "MPO", {"save_all": True, "append_images": [rgb]}),
    ]
    return tuple(_encoded(image, kind, options) for image, kind, options in saved)


def _encoded(image: Image.Image, kind: str, options: dict[str, object]) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)  # type: ignore[arg-type]
    return stream.getvalue()


def _draw(random: Random) -> bytes:
    data = random.choice(_seeds())
    how = random.random()
    if data.startswith(b"\x89PNG") and how < 0.6:
        return _png(random, data)
    if data.startswith(b"\xff\xd8") and how < 0.4:
        return _jpeg(random, data)
    if how > 0.97:
        other = random.choice(_seeds())
        return data[: random.randrange(len(data))] + other[random.randrange(len(other)) :]
    return damaged(random, data, PIECES)


def _png(random: Random, data: bytes) -> bytes:
    """A PNG with changed, doubled, removed or moved chunks, whose checksums are right."""
    chunks = _chunks(data)
    for _ in range(random.randrange(1, 4)):
        at = random.randrange(len(chunks))
        name, content = chunks[at]
        how = random.randrange(7)
        if how == 0 and name == b"IHDR" and len(content) == 13:
            fields = list(struct.unpack(">IIBBBBB", content))
            fields[random.randrange(2)] = random.choice(SIDES)
            content = struct.pack(">IIBBBBB", *fields)
        elif how == 1 and name == b"IHDR" and len(content) == 13:
            changed = bytearray(content)
            changed[8 + random.randrange(5)] = random.choice((0, 1, 2, 3, 4, 6, 8, 16, 255))
            content = bytes(changed)
        elif how == 2:
            chunks.insert(random.randrange(len(chunks) + 1), chunks[at])
        elif how == 3 and len(chunks) > 1:
            del chunks[at]
            continue
        elif how == 4 and name == b"IDAT":
            content = zlib.compress(damaged(random, _inflated(content)))
        elif how == 5:
            pieces = (
                b"tRNS",
                b"PLTE",
                b"gAMA",
                b"iCCP",
                b"zTXt",
                b"iTXt",
                b"eXIf",
                b"acTL",
                b"fcTL",
                b"fdAT",
                b"cHRM",
                b"sRGB",
                b"pHYs",
            )
            chunks.insert(
                random.randrange(1, len(chunks) + 1), (random.choice(pieces), random.randbytes(random.randrange(40)))
            )
        else:
            content = damaged(random, content)
        chunks[at] = name, content
    parts = [
        struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
        for name, content in chunks
    ]
    return data[:8] + b"".join(parts)


def _chunks(data: bytes) -> list[tuple[bytes, bytes]]:
    found, at = [], 8
    while at + 8 <= len(data):
        (length,) = struct.unpack_from(">I", data, at)
        found.append((data[at + 4 : at + 8], data[at + 8 : at + 8 + length]))
        at += 12 + length
    return found


def _inflated(content: bytes) -> bytes:
    try:
        return zlib.decompress(content)
    except zlib.error:
        return content


def _jpeg(random: Random, data: bytes) -> bytes:
    """A JPEG with another size or number of channels in its header, or damage in one segment."""
    starts = [
        at
        for at in range(2, len(data) - 10)
        if data[at] == 0xFF and data[at + 1] in (0xC0, 0xC2, 0xC4, 0xDB, 0xDA, 0xE0, 0xE1, 0xE2)
    ]
    at = random.choice(starts)
    content = bytearray(data)
    if data[at + 1] in (0xC0, 0xC2) and random.random() < 0.7:
        place = at + random.choice((5, 7))
        content[place : place + 2] = (random.choice(SIDES) & 0xFFFF).to_bytes(2, "big")
    else:
        content[at + 2 : at + 24] = damaged(random, bytes(content[at + 2 : at + 24]), PIECES)
    return bytes(content)


def _check(data: bytes) -> None:
    """Every decoder gives a picture or says why not; headers and decoders agree on the size."""
    format_of(data)
    is_streamed(data)
    photo = np.zeros((24, 32, 3), np.uint8)
    others: Sequence[Callable[[], object]] = (
        lambda: decode(data, 16, min_side=2),
        lambda: decode_rgb(data),
        lambda: decode_mask(data),
        lambda: upright_size(data),
        lambda: cut_out(photo, data),
        lambda: picture_kind(data, ["JPEG", "PNG", "WEBP"], "a picture"),
    )
    with quiet_decoding():
        for use in others:
            try:
                use()
            except InputError as error:
                check_message(str(error))
        decoded = decode(data)
    width, height = decoded.image.size
    require(
        0 < width * height <= MAX_PIXELS and decoded.image.mode in ("RGB", "RGBA"), "pictures have a size and a mode"
    )
    plain = plain_size(data[:4096])
    require(plain is None or sorted(plain[1]) == sorted((width, height)), "headers agree with decoders")


def _draw_stored(random: Random) -> bytes:
    """A picture of a kind that datasets store."""
    while not (data := _draw(random)).startswith((b"\xff\xd8", b"\x89PNG", b"RIFF")):
        pass
    return data


def _check_scene(data: bytes) -> None:
    """Readers of a dataset use a picture, or name it."""
    whole = _seeds()[0]
    scene = Scene(
        split="objects_le3",
        id="a-00000",
        image=whole,
        mask=data,
        caption="a dog",
        prompt="a <dog6> dog",
        boxes=((0.0, 0.0, 8.0, 8.0),),
        concept_tokens=("<dog6>",),
        class_names=("dog",),
        background="yard",
        composition="dog6",
        source_images=("dog6/0.jpg",),
        scores={},
        rank=None,
        provenance="{}",
    )
    photo = Photo(id="dog6/0.png", concept="dog6", image=whole, mask=data, quality=1.0)
    uses: Sequence[Callable[[], object]] = (
        lambda: objects_of(scene),
        lambda: contact_sheet([replace(scene, image=data)]),
        lambda: photo_content(photo, "a dataset"),
        lambda: photo_content(replace(photo, image=data, mask=None), "a dataset"),
    )
    failed = []
    for use in uses:
        try:
            with quiet_decoding():
                use()
        except InputError as error:
            check_message(str(error))
            failed.append(error)
    if len(failed) == len(uses):
        raise failed[0]
