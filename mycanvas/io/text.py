"""Text from outside the program."""

from __future__ import annotations

import re

UNWRITABLE = re.compile(r"[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
"""Characters that JSON can hold, but files and terminals must not get: control characters and lone surrogates."""


def split_named(argument: str) -> tuple[str | None, str]:
    """Split "NAME=PLACE" into name and place; the name is None if only a place is given, which may contain "="."""
    name, equals, place = argument.partition("=")
    return (name, place) if equals and "/" not in name else (None, argument)
