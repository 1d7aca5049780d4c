"""JSON files of a build, each with the version of its format and a checksum of its content.

    {"format": 2, "checksum": "…", …}

The checksum is the `digest` of all other keys, so that damage is noticed even where the file still is JSON. Both keys
keep their meaning in later formats.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from mycanvas.errors import StoreError
from mycanvas.io.files import os_errors, write_json
from mycanvas.io.regular import read_regular

FORMAT = 2
"""The version of a build's files. Files of version 1 had neither of the two keys."""

REMAKE = "run the same `mycanvas build` again to remake it"
"""The remedy for a file that a build can restore."""

_OWN_KEYS = {"format", "checksum"}

_T = TypeVar("_T")


def digest(values: Any) -> str:
    """The sha256, in hexadecimal, of values as JSON with sorted keys and no spaces."""
    return hashlib.sha256(json.dumps(values, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def with_checksum(values: Mapping[str, Any]) -> dict[str, Any]:
    """Add the keys `format` and `checksum` to values, which become JSON types.

    Raises:
        ValueError: `values` has one of these keys.
    """
    if values.keys() & _OWN_KEYS:
        raise ValueError(f"the keys {' and '.join(sorted(_OWN_KEYS))} are reserved")
    content = json.loads(json.dumps({**values, "format": FORMAT}))  # as it is read: each key is text
    return {**content, "checksum": digest(content)}


def write_checked(path: Path, values: Mapping[str, Any]) -> None:
    """Write values with their format and checksum as a JSON file, whole or not at all.

    Raises:
        StoreError: it cannot be written.
    """
    write_json(path, with_checksum(values))


def read_checked(path: Path, kind: type[_T], remedy: str = REMAKE) -> _T:
    """Read a file that `write_checked` wrote.

    Args:
        path: the file.
        kind: a dataclass whose fields are the keys, or a type such as `dict[str, Any]`.
        remedy: how to get the file back, for the message.

    Raises:
        StoreError: it is missing, damaged, or was written by another version of this program.
        InputError: it cannot be read, or is no regular file.
    """
    with os_errors(path, "read"):
        try:
            content = read_regular(path)
        except FileNotFoundError:
            raise _Lost(f"{path} is missing; {remedy}") from None
    return parse_checked(content, str(path), kind, remedy)


def read_checked_or_none(path: Path, kind: type[_T]) -> _T | None:
    """Read a file as `read_checked` does; None where it is missing, damaged or of an earlier version.

    Raises:
        StoreError: it was written by a later version of this program.
        InputError: it cannot be read, or is no regular file.
    """
    try:
        return read_checked(path, kind)
    except _Lost:
        return None


def parse_checked(content: bytes, name: str, kind: type[_T], remedy: str = REMAKE) -> _T:
    """Check and convert the content of a file that `write_checked` wrote.

    Args:
        content: the bytes of the file.
        name: its path or URL, for the message.
        kind: as for `read_checked`.
        remedy: as for `read_checked`.

    Raises:
        StoreError: it is damaged, or was written by another version of this program.
    """
    damaged = _Lost(f"{name} is damaged; {remedy}")
    try:
        values = json.loads(content)
        if isinstance(values, dict) and not values.keys() & _OWN_KEYS:
            raise _Lost(f"{name} was written by an earlier version of mycanvas; build into another --output")
        checksum, version = values.pop("checksum"), values["format"]
        if checksum != digest(values):
            raise damaged
    except (ValueError, RecursionError, TypeError, LookupError, AttributeError):
        raise damaged from None
    if isinstance(version, int) and version > FORMAT:
        raise StoreError(
            f"{name} was written by a later version of mycanvas (format {version}, this one reads {FORMAT}); "
            "upgrade with: pip install --upgrade mycanvas"
        )
    if values.pop("format") != FORMAT:
        raise damaged
    try:
        found: _T = _adapter(kind).validate_python(values)  # type: ignore[arg-type]
    except ValidationError:
        raise damaged from None
    return found


def parse_checked_or_none(content: bytes, name: str, kind: type[_T]) -> _T | None:
    """Check and convert content as `parse_checked` does; None where it is damaged or of an earlier version.

    Raises:
        StoreError: it was written by a later version of this program.
    """
    try:
        return parse_checked(content, name, kind)
    except _Lost:
        return None


class _Lost(StoreError):
    """A file is missing, damaged or of an earlier version."""


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)
