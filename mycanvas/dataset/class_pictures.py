"""Class pictures for regularization, `DIR/<class>/*.jpg`: what the model should keep showing for a class."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from mycanvas.dataset.pictures import SUFFIXES, picture_kind
from mycanvas.dataset.records import Encoded
from mycanvas.english import with_article
from mycanvas.errors import InputError
from mycanvas.io.files import os_errors
from mycanvas.io.text import one_line

log = logging.getLogger("mycanvas")


@dataclass(frozen=True, kw_only=True, slots=True)
class ClassPicture:
    """A class picture. class_name: the name of its folder. name: that of its file without suffix.

    image: encoded, as stored; suffix: of its kind. size: width and height in pixels. caption: one line.
    """

    class_name: str
    name: str
    suffix: str
    image: Encoded
    size: tuple[int, int]
    caption: str


def class_pictures(folder: Path, known: Collection[str], chosen: Collection[str]) -> Iterator[ClassPicture]:
    """Read class pictures, and at the end report classes that do not fit the dataset.

    Args:
        folder: of folders named after classes.
        known: the classes that captions name.
        chosen: the classes of the objects that are trained.

    Raises:
        InputError: a picture or a caption cannot be read, or there is no picture.
    """
    found: set[str] = set()
    for path in sorted(folder.glob("*/*")):
        if path.suffix.lower() in chain(*SUFFIXES.values()):
            found.add(path.parent.name)
            yield _read(path)
    if not found:
        raise InputError(f"{folder} has no class pictures; expected {folder}/CLASS/*.jpg, as in {folder}/dog/1.jpg")
    strange, missing = sorted(found - set(known)), sorted(set(chosen) - found)
    problems = [f"no caption names {', '.join(strange)}, whose pictures are used all the same"] if strange else []
    problems += [f"there is none of {', '.join(missing)}"] if missing else []
    if problems:
        log.warning("class pictures in %s: %s; name each folder after a class", folder, "; ".join(problems))


def pictures_of(folder: Path, classes: Collection[str]) -> tuple[ClassPicture, ...]:
    """Read the pictures of some classes; those of others in the folder are left.

    Raises:
        InputError: there is none of a class; or as `class_pictures`.
    """
    every = class_pictures(folder, {path.name for path in folder.glob("*")}, ())
    found = tuple(picture for picture in every if picture.class_name in classes)
    if missing := sorted({*classes} - {picture.class_name for picture in found}):
        raise InputError(f"{folder} has no pictures of the class {missing[0]}; expected {folder / missing[0]}/*.jpg")
    return found


def _read(path: Path) -> ClassPicture:
    from mycanvas.io.images import decode_rgb, quiet_decoding

    with os_errors(path, "read"):
        content = path.read_bytes()
    kind, size = picture_kind(content, list(SUFFIXES), str(path))
    try:
        with quiet_decoding():
            decode_rgb(content)  # its header may be whole where its pixels are not
    except InputError as error:
        raise InputError(f"{path} cannot be used: {error}; replace or remove it") from error
    return ClassPicture(
        class_name=path.parent.name,
        name=path.stem,
        suffix=SUFFIXES[kind][0],
        image=content,
        size=size,
        caption=_caption(path),
    )


def _caption(path: Path) -> str:
    """The caption beside a class picture; without one, its class, which is the name of its folder."""
    beside = path.with_suffix(".txt")
    if not beside.is_file():
        return f"a photo of {with_article(path.parent.name)}"
    try:
        with os_errors(beside, "read"):
            return one_line(beside.read_text("utf-8"), str(path))
    except UnicodeDecodeError as error:
        raise InputError(f"{beside} is not UTF-8; save it as UTF-8") from error
