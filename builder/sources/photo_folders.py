"""Folders of photos as people lay them out: what lies in them, what is written about them, who made the photos."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError

from builder.records import PhotoFile, Rejected
from mycanvas.errors import InputError
from mycanvas.io.images import quiet_decoding, read_file
from mycanvas.io.messages import explain, nearest
from mycanvas.io.toml import read_toml

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")
OTHER_PICTURES = (".avif", ".bmp", ".gif", ".heic", ".heif", ".tif", ".tiff")
"""Named in a rejection, not passed over: a folder straight from a phone may hold nothing else."""
MAX_ATTRIBUTION = 800
"""Characters; enough for a paragraph of names."""

_ATTRIBUTION_FILES = ("attribution", "attribution.md", "attribution.txt")
_LICENSE_FILES = ("license", "license.md", "license.txt")

Description = TypeVar("Description", bound=BaseModel)


def entries(folder: Path) -> list[Path]:
    """What lies in a folder, sorted, without hidden entries.

    Raises:
        InputError: it is no folder, or cannot be read.
    """
    try:
        names = sorted(name for name in os.listdir(folder) if not name.startswith("."))
    except FileNotFoundError as error:
        raise InputError(f"{folder} does not exist") from error
    except NotADirectoryError as error:
        raise InputError(f"{folder} is a file; expected a folder of folders of photos") from error
    except OSError as error:
        raise InputError(f"cannot read the folder {folder}: {error.strerror}") from error
    return [folder / name for name in names]


def may_hold_photos(path: Path) -> bool:
    """Whether a path is a folder, and not one in which a build left its dataset and contact sheet."""
    return os.path.isdir(path) and not os.path.isdir(path / ".build")


def read_descriptions(
    path: Path, names: Sequence[str], table: type[Description]
) -> tuple[dict[str, Description], dict[str, list[str]]]:
    """The tables of a TOML file beside folders, one for each folder that it describes; none if there is no file.

    Args:
        path: of the TOML file.
        names: of the folders.
        table: what a table may hold.

    Returns:
        The tables that are right; and for each other one, in words, what is wrong with it.

    Raises:
        InputError: the file cannot be read.
        ConfigError: it is not TOML, or not UTF-8.
    """
    try:
        tables = read_toml(path)
    except FileNotFoundError:
        return {}, {}
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    right: dict[str, Description] = {}
    wrong: dict[str, list[str]] = {}
    for name, values in tables.items():
        if name not in names:
            wrong[name] = [f"{path}: no folder is called {name}; {nearest(name, names)}"]
            continue
        try:
            right |= TypeAdapter(dict[str, table]).validate_python({name: values})  # type: ignore[valid-type]
        except ValidationError as error:
            wrong[name] = [f"{path}: {explain(each, list(table.model_fields))}" for each in error.errors()]
    return right, wrong


def find_photos(
    folder: Path, check: Callable[[bytes], object], stage: str, attribution: str | None
) -> tuple[list[PhotoFile], list[Rejected]]:
    """The photos of a folder, each picture once, and why the others are not used.

    Args:
        folder: their ids are "<its name>/<file name>".
        check: called with a file's bytes; raises InputError if they are no usable photo.
        stage: which finds them, for the rejections.
        attribution: who made them, where anybody says so.

    Raises:
        InputError: the folder itself cannot be read.
    """
    photos: dict[str, PhotoFile] = {}
    rejected: list[Rejected] = []
    for path in entries(folder):
        photo_id, suffix = f"{folder.name}/{path.name}", path.suffix.lower()
        if suffix in OTHER_PICTURES:
            reason = f"{suffix} is not read; save it as {', '.join(SUFFIXES)}"
            rejected.append(Rejected(sample_id=photo_id, stage=stage, reason=reason))
        if suffix not in SUFFIXES:
            continue
        try:
            data = read_file(path)
            with quiet_decoding():
                check(data)
        except InputError as error:
            rejected.append(Rejected(sample_id=photo_id, stage=stage, reason=str(error)))
            continue
        photo = PhotoFile(id=photo_id, path=path, sha256=hashlib.sha256(data).hexdigest(), attribution=attribution)
        first = photos.setdefault(photo.sha256, photo)
        if first is not photo:
            rejected.append(Rejected(sample_id=photo_id, stage=stage, reason=f"the same file as {first.id}"))
    return list(photos.values()), rejected


def attribution_of(folder: Path, *, collected: bool) -> str | None:
    """The first paragraph of the nearest file that says who made the photos of a folder.

    An ATTRIBUTION file in it, beside it, or one level further up. A LICENSE file only where it can be for nothing but
    photos: further up it may be that of a code repository.

    Args:
        folder: of the photos.
        collected: whether it lies in a folder of folders of photos; false when it was named alone and may lie anywhere.
    """
    folder = Path(os.path.abspath(folder))
    anything = _ATTRIBUTION_FILES + _LICENSE_FILES
    places = (
        (folder, anything),
        (folder.parent, anything if collected else _ATTRIBUTION_FILES),
        (folder.parent.parent, _ATTRIBUTION_FILES),
    )
    for place, names in places:
        for path in _files_called(place, names):
            paragraphs = re.split(r"\n\s*\n", _text(path).strip())
            texts = [" ".join(text.split()) for text in paragraphs if not text.lstrip().startswith("#")]
            if texts and texts[0]:
                return texts[0] if len(texts[0]) <= MAX_ATTRIBUTION else texts[0][: MAX_ATTRIBUTION - 1] + "…"
    return None


def _files_called(place: Path, names: Sequence[str]) -> Iterator[Path]:
    try:
        present = {path.name.lower(): path for path in entries(place) if os.path.isfile(path)}
    except InputError:
        return
    yield from (present[name] for name in names if name in present)


def _text(path: Path) -> str:
    try:
        return read_file(path).decode(errors="replace")
    except InputError:
        return ""
