"""JSON files of a build, each with the version of its format and a checksum of its content.

    {"format": 2, "checksum": "…", …}

The sum is that of all other keys, as `canonical` writes them. So a file that was damaged, even if it still is JSON, is
noticed. These two keys keep their meaning in later formats.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from mycanvas.errors import InputError, StoreError
from mycanvas.io.files import os_errors, write_json
from mycanvas.io.regular import read_regular

FORMAT = 2
"""The version of a build's files. Files of version 1 had neither of the two keys."""

_OWN_KEYS = {"format", "checksum"}

REBUILD = "run the same `mycanvas build` again to write it again"

_T = TypeVar("_T")


def canonical(values: Any) -> bytes:
    """JSON of which equal values have equal bytes."""
    return json.dumps(values, sort_keys=True, separators=(",", ":")).encode()


def digest(values: Any) -> str:
    """The sha256 of JSON values, in hexadecimal."""
    return hashlib.sha256(canonical(values)).hexdigest()


def checked(values: Mapping[str, Any]) -> dict[str, Any]:
    """Add the two keys to values, as JSON types.

    Raises:
        ValueError: `values` has one of these keys.
    """
    if values.keys() & _OWN_KEYS:
        raise ValueError(f"the keys {' and '.join(sorted(_OWN_KEYS))} are reserved")
    content = json.loads(json.dumps({**values, "format": FORMAT}))  # as it is read: keys are text
    return {**content, "checksum": digest(content)}


def write_checked(path: Path, values: Mapping[str, Any]) -> None:
    """Write a file with the result of `checked`, whole or not at all.

    Raises:
        StoreError: it cannot be written.
    """
    write_json(path, checked(values))


def read_checked(path: Path, kind: type[_T], remedy: str = REBUILD) -> _T:
    """Read a file that `write_checked` wrote.

    Args:
        path: the file.
        kind: a dataclass whose fields are the keys, or a type such as `dict[str, Any]`.
        remedy: how to get the file back, for the message.

    Raises:
        StoreError: it is missing, damaged, or was written by another version of this program.
        InputError: it cannot be read, or is no regular file.
    """
    try:
        with os_errors(path, "read"):
            content = read_regular(path)
    except InputError as error:
        if isinstance(error.__cause__, FileNotFoundError):
            raise _Lost(f"{path} is missing; {remedy}") from error
        raise
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


def parse_checked(content: bytes, name: str, kind: type[_T], remedy: str = REBUILD) -> _T:
    """Read the content of a file; otherwise as `read_checked`.

    Args:
        content: of the file.
        name: its path or URL, for the message.
        kind: as for `read_checked`.
        remedy: as for `read_checked`.
    """
    damaged = _Lost(f"{name} is damaged; {remedy}")
    try:
        values = json.loads(content)
    except (ValueError, RecursionError):
        raise damaged from None
    if not isinstance(values, dict):
        raise damaged
    if not values.keys() & _OWN_KEYS:
        raise _Lost(f"{name} was written by an earlier version of mycanvas; build into another --output")
    expected = values.pop("checksum", None)
    if expected != digest(values):
        raise damaged
    version = values.pop("format", None)
    if isinstance(version, int) and version > FORMAT:
        raise StoreError(
            f"{name} was written by a later version of mycanvas (format {version}, this one reads {FORMAT}); "
            "upgrade with: pip install --upgrade mycanvas"
        )
    try:
        found: _T = _adapter(kind).validate_python(values)  # type: ignore[arg-type]
    except ValidationError:
        raise damaged from None
    return found


class _Lost(StoreError):
    """A file is missing, damaged or of an earlier version."""


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)
