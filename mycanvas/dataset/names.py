"""Ids and names that become names of files."""

from __future__ import annotations

import re
from hashlib import blake2b

from mycanvas.errors import InputError

_ID = re.compile(r"[A-Za-z0-9_-]{1,80}")
"""Fits a tar header, and is a valid WebDataset key, which ends at the first dot."""

SHOWN = 60
"""The most characters of a wrong id that a message repeats."""

NAME_BYTES = 100
"""The most bytes of a file's name without its suffix: a file system may allow 143 (eCryptfs) or 255."""

_UNSAFE = re.compile(r'[\\/:*?"<>|]')
"""Characters that cannot be in a file's name on every system, beside those that are not printable."""


def check_id(name: object, place: str) -> None:
    """Refuse a scene's id that cannot name a file.

    Args:
        name: the id.
        place: the dataset, for messages.

    Raises:
        InputError: it is missing, longer than 80 characters, or has other characters than letters, digits, _ and -.
    """
    if not isinstance(name, str) or not _ID.fullmatch(name):
        text = repr(name)
        shown = text if len(text) <= SHOWN else f"{text[:SHOWN]}…, of {len(text)} characters,"
        raise InputError(f"the id {shown} in {place} cannot name a file; expected at most 80 letters, digits, _ and -")


def file_name(name: str) -> str:
    """A name for a file or folder, short and safe on every system; the name itself where it is both.

    Other names get "-" for unsafe characters, are cut, and end with a digest, so that different names stay different.

    Args:
        name: of a concept, a photo or a composition.
    """
    plain = "".join(c if c.isprintable() and not _UNSAFE.match(c) else "-" for c in name).strip(". ")
    if plain == name and 0 < len(name.encode()) <= NAME_BYTES:
        return name
    digest = blake2b(name.encode(errors="replace"), digest_size=5).hexdigest()
    start = plain.encode(errors="replace")[: NAME_BYTES - len(digest) - 1].decode(errors="ignore")
    return f"{start}-{digest}" if start else digest
