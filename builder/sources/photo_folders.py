"""Read folders of photos: the entries, the descriptions beside them, the usable photos, their attribution."""

from __future__ import annotations

import hashlib
import logging
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError

from builder.records import PhotoFile, Rejected
from builder.sources.picture_files import is_picture, refusal
from mycanvas.errors import InputError
from mycanvas.io.files import reason_of
from mycanvas.io.images import quiet_decoding, read_file
from mycanvas.io.messages import explain, nearest
from mycanvas.io.text import UNWRITABLE, brief, shown
from mycanvas.io.toml import read_toml

log = logging.getLogger("mycanvas")

MAX_ATTRIBUTION = 800
"""The most characters of an attribution: a paragraph of names."""

_ATTRIBUTION_FILES = ("attribution", "attribution.md", "attribution.txt")
_LICENSE_FILES = ("license", "license.md", "license.txt")

Table = TypeVar("Table", bound=BaseModel)


def entries(folder: Path) -> list[Path]:
    """The entries of a folder, sorted, without hidden ones.

    Raises:
        InputError: it is not a folder, or cannot be read.
    """
    try:
        names = sorted(name for name in os.listdir(folder) if not name.startswith("."))
    except FileNotFoundError as error:
        raise InputError(
            f"{folder} does not exist; expected a folder of folders of photos; correct the path"
        ) from error
    except NotADirectoryError as error:
        raise InputError(f"{folder} is a file; expected a folder of folders of photos") from error
    except OSError as error:
        raise InputError(f"cannot read the folder {folder}: {reason_of(error, 'read')}") from error
    return [folder / name for name in names]


def entry_flaw(path: Path) -> str | None:
    """Why an entry of a folder cannot be read: its rights, a link that leads nowhere; None where it can be."""
    try:
        os.stat(path)
    except OSError as error:
        return f"cannot be read: {reason_of(error, 'read')}"
    return None


def refuse_unreadable(flaws: Mapping[Path, str]) -> None:
    """Raise InputError with the path and the flaw of each entry that cannot be read, if there are any."""
    if flaws:
        raise InputError("\n".join(f"{entry} {flaw}" for entry, flaw in flaws.items()))


def may_hold_photos(path: Path) -> bool:
    """Whether a path is a folder, and not the output of a build, which holds pictures too."""
    return os.path.isdir(path) and not os.path.isdir(path / ".build")


def read_descriptions(
    path: Path, names: Sequence[str], table: type[Table]
) -> tuple[dict[str, Table], dict[str, list[str]]]:
    """Read a TOML file that describes the folders beside it, in one table each; no tables if there is no file.

    A table of a folder that does not exist is reported in a warning: the file may serve several sets of photos.

    Args:
        path: the TOML file.
        names: the names of the folders.
        table: the schema of a table.

    Returns:
        The valid tables; and for each invalid one its problems, one line each.

    Raises:
        InputError: the file cannot be read.
        ConfigError: it is not TOML, or not UTF-8.
    """
    try:
        tables = read_toml(path)
    except FileNotFoundError:
        return {}, {}
    except OSError as error:
        raise InputError(f"cannot read {path}: {reason_of(error, 'read')}") from error
    valid: dict[str, Table] = {}
    invalid: dict[str, list[str]] = {}
    for name, values in tables.items():
        if name not in names:
            unknown = f"{path}: no folder is called {brief(name)}; {nearest(name, names)}"
            if isinstance(values, dict):
                log.warning("%s (this table is not used)", unknown)
            else:  # a key outside of the table that it was written for
                invalid[name] = [unknown]
            continue
        try:
            valid |= TypeAdapter(dict[str, table]).validate_python({name: values})  # type: ignore[valid-type]
        except ValidationError as error:
            invalid[name] = [f"{path}: {explain(each, list(table.model_fields))}" for each in error.errors()]
    return valid, invalid


def find_photos(
    folder: Path,
    check: Callable[[bytes], str | None],
    stage: str,
    attribution: str | None,
    accept: Callable[[Path], bool] = is_picture,
) -> tuple[list[PhotoFile], list[Rejected]]:
    """Find the usable photos of a folder, each content once, and reject the others with a reason.

    Args:
        folder: the folder; a photo's id is "<folder name>/<file name>".
        check: called with a file's bytes; raises InputError if they are not a usable photo, and returns a remark about
            one that is, which is logged as a warning, or None.
        stage: the stage that the rejections name.
        attribution: who made the photos; None if unknown.
        accept: whether a file is a photo; others are ignored.

    Raises:
        InputError: the folder itself cannot be read.
    """
    photos: dict[str, PhotoFile] = {}
    rejected: list[Rejected] = []
    for path in entries(folder):
        if not accept(path):
            continue
        photo_id = shown(f"{folder.name}/{path.name}")
        try:
            if reason := refusal(path):
                raise InputError(reason)
            data = read_file(path)
            with quiet_decoding():
                remark = check(data)
        except InputError as error:
            rejected.append(Rejected(sample_id=photo_id, stage=stage, reason=str(error)))
            continue
        photo = PhotoFile(id=photo_id, path=path, sha256=hashlib.sha256(data).hexdigest(), attribution=attribution)
        first = photos.setdefault(photo.sha256, photo)
        if first is not photo:
            rejected.append(Rejected(sample_id=photo_id, stage=stage, reason=f"the same file as {first.id}"))
        elif remark:
            log.warning("%s %s", photo_id, remark)
    return list(photos.values()), rejected


def attribution_of(folder: Path, *, collected: bool) -> str | None:
    """The first paragraph of the nearest file that credits the photos of a folder; None if there is no such file.

    An ATTRIBUTION file counts in the folder, beside it, and one level above. A LICENSE file counts only where it must
    be about photos: further up it may be that of a code repository.

    Args:
        folder: the folder of the photos.
        collected: whether it is in a folder of folders of photos; false if it was named alone and may be anywhere.
    """
    folder = Path(os.path.abspath(folder))
    either = _ATTRIBUTION_FILES + _LICENSE_FILES
    places = (
        (folder, either),
        (folder.parent, either if collected else _ATTRIBUTION_FILES),
        (folder.parent.parent, _ATTRIBUTION_FILES),
    )
    for place, names in places:
        for path in _files_named(place, names):
            paragraphs = re.split(r"\n\s*\n", _text(path).strip())
            texts = [" ".join(text.split()) for text in paragraphs if not text.lstrip().startswith("#")]
            if texts and texts[0]:
                return texts[0] if len(texts[0]) <= MAX_ATTRIBUTION else texts[0][: MAX_ATTRIBUTION - 1] + "…"
    return None


def _files_named(place: Path, names: Sequence[str]) -> Iterator[Path]:
    try:
        present = {path.name.lower(): path for path in entries(place) if os.path.isfile(path)}
    except InputError:
        return
    yield from (present[name] for name in names if name in present)


def _text(path: Path) -> str:
    try:
        return UNWRITABLE.sub("", read_file(path).decode(errors="replace"))
    except InputError as error:
        log.warning("%s %s; its credits are not used", path, error)
        return ""
