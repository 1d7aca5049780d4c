"""Source photos as files that are named after their content."""

from __future__ import annotations

import io
from collections.abc import Iterator
from itertools import chain, count

from mycanvas.dataset import Encoded, Photo, file_name, picture_kind
from mycanvas.dataset.pictures import SUFFIXES
from mycanvas.errors import InputError
from mycanvas.io.text import printable

CUTOUT_QUALITY = 1.0
"""The quality of a photo that came as a cut-out; its mask is its alpha."""


class UniqueStems:
    """Names of files without their suffixes, each different, also where letters have no case."""

    def __init__(self) -> None:
        self._used: set[str] = set()

    def add(self, name: str) -> str:
        """The stem of a new file: its name made safe; "+2", "+3" and so on are added to one that is in use."""
        stem = file_name(name)
        names = chain([stem], (f"{stem}+{number}" for number in count(2)))
        unique = next(name for name in names if name.casefold() not in self._used)
        self._used.add(unique.casefold())
        return unique


class PhotoNames:
    """Names of the photos of a dataset, each different within its concept, also where letters have no case."""

    def __init__(self) -> None:
        self._used: set[tuple[str, str]] = set()

    def name(self, photo: Photo, kind: str) -> str:
        """The name of a photo's file: its own name, with a suffix of its kind."""
        stem, _, ending = photo.file_name.rpartition(".")
        suffix = f".{ending.lower()}"
        if suffix not in chain(*SUFFIXES.values()):
            stem = photo.file_name
        if suffix not in SUFFIXES[kind]:
            ending = SUFFIXES[kind][0].removeprefix(".")
        names = _numbered(file_name(stem), ending)
        name = next(name for name in names if (photo.concept, name.casefold()) not in self._used)
        self._used.add((photo.concept, name.casefold()))
        return name


def _numbered(stem: str, ending: str) -> Iterator[str]:
    """The names "a.jpg", "a-2.jpg", "a-3.jpg" and so on."""
    yield f"{stem}.{ending}"
    for number in count(2):
        yield f"{stem}-{number}.{ending}"


def photo_stem(photo: Photo) -> str:
    """The names of a photo's concept and of its file, joined by "+", which no scene's id contains."""
    return f"{photo.concept}+{photo.file_name.rpartition('.')[0] or photo.file_name}"


def photo_title(photo: Photo, place: str) -> str:
    """A photo as errors name it; place: that of its dataset."""
    return f"the source photo {photo.id} of {place}"


def photo_content(photo: Photo, place: str) -> tuple[Encoded, str]:
    """A photo's bytes and their kind: as stored, or a PNG with alpha if the photo came as a cut-out.

    Raises:
        InputError: it, or the mask of a cut-out, cannot be read.
    """
    name = photo_title(photo, place)
    kind, size = picture_kind(photo.image, list(SUFFIXES), name)
    if kind == "JPEG" and photo.mask and photo.quality == CUTOUT_QUALITY and _may_have_alpha(photo):
        return _with_alpha(photo.image, photo.mask, size, name), "PNG"
    return photo.image, kind


def _may_have_alpha(photo: Photo) -> bool:
    return not photo.file_name.lower().endswith(SUFFIXES["JPEG"])


def _with_alpha(image: Encoded, mask: Encoded, size: tuple[int, int], name: str) -> bytes:
    from PIL import Image

    from mycanvas.io.formats import DECODER_ERRORS

    if picture_kind(mask, ["PNG"], f"the mask of {name}")[1] != size:
        raise InputError(f"the mask of {name} has not the photo's size, {size[0]}x{size[1]}")
    buffer = io.BytesIO()
    try:
        with Image.open(io.BytesIO(image)) as photo, Image.open(io.BytesIO(mask)) as alpha:
            rgba = photo.convert("RGB")
            rgba.putalpha(alpha.convert("L"))
            rgba.save(buffer, "PNG")
    except DECODER_ERRORS as error:
        raise InputError(f"{name} cannot be read: {printable(str(error))}") from error
    return buffer.getvalue()
