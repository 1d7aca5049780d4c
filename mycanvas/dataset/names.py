"""Checks of ids and names that are to become names of files."""

from __future__ import annotations

import re

from mycanvas.errors import InputError

_ID = re.compile(r"[A-Za-z0-9_-]{1,80}")
"""Fits a tar header, and is a valid WebDataset key, which ends at the first dot."""


def check_id(name: str | None, place: str) -> None:
    """Refuse a scene's id that cannot name a file.

    Args:
        name: the id.
        place: the dataset, for messages.

    Raises:
        InputError: it is missing, longer than 80 characters, or has other characters than letters, digits, _ and -.
    """
    if name is None or not _ID.fullmatch(name):
        raise InputError(f"the id {name!r} in {place} cannot name a file; expected letters, digits, _ and -")


def check_name(name: str, place: str) -> None:
    """Refuse a name that would lead out of the folder it is written to.

    Args:
        name: of a concept, a photo's file or a composition.
        place: the dataset, for messages.

    Raises:
        InputError: it cannot be the name of a file or folder.
    """
    if name in {"", ".", ".."} or not name.isprintable() or "/" in name or "\\" in name:
        raise InputError(f"{name!r} in {place} cannot be the name of a file or folder")
