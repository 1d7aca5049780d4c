"""Text from outside the program."""

from __future__ import annotations

import re

from mycanvas.errors import InputError

UNWRITABLE = re.compile(r"[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
"""Characters that JSON can hold, but files and terminals must not get: control characters and lone surrogates."""

QUOTED = 60
"""The most characters of a name or a value from outside that a message repeats: it may be a whole file."""

_UNSHOWN = r"\0-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff"
_IN_NAMES = re.compile(f"[{_UNSHOWN}\t\n]")
_IN_TEXT = re.compile(f"[{_UNSHOWN}]")
"""Characters that terminals act on, that hide other characters, or that stand for bytes that are not UTF-8."""


def is_utf8(name: str) -> bool:
    """Whether a name can be written as text: Linux allows any bytes."""
    return not re.search("[\ud800-\udfff]", name)


def is_plain_name(name: str) -> bool:
    """Whether a name is UTF-8 and has no character that terminals act on."""
    return not _IN_NAMES.search(name)


def shown(name: str) -> str:
    r"""A name as messages show it: "a\n.jpg" with a backslash and an n, bytes that are not UTF-8 as "\xe9"."""
    return _IN_NAMES.sub(_escape, name)


def brief(name: str, most: int = QUOTED) -> str:
    """A name from outside as messages repeat it: as `shown`, and cut to so many characters."""
    text = shown(name[: most + 1])
    return text if len(text) <= most else f"{text[: most - 1]}…"


def brief_repr(value: object, most: int = QUOTED) -> str:
    """A wrong value as messages repeat it: as Python writes it, cut to so many characters."""
    try:
        text = repr(value)
    except (RecursionError, ValueError):  # as deep as the JSON that it comes from; an integer of thousands of digits
        return "a value that is too deep or too long to be shown"
    return text if len(text) <= most else f"{text[: most - 1]}…"


def printable(text: str) -> str:
    """Text as a terminal gets it: as `shown`, but with its line breaks and tabs."""
    return _IN_TEXT.sub(_escape, text)


def _escape(found: re.Match[str]) -> str:
    character = found.group()
    if "\udc80" <= character <= "\udcff":  # how Python keeps a byte that is not UTF-8
        return f"\\x{ord(character) - 0xDC00:02x}"
    return character.encode("unicode_escape").decode()


def split_named(argument: str) -> tuple[str | None, str]:
    """Split "NAME=PLACE" into name and place; the name is None if only a place is given, which may contain "="."""
    name, equals, place = argument.partition("=")
    return (name, place) if equals and "/" not in name else (None, argument)


def one_line(caption: str, name: str) -> str:
    """A caption without line breaks, because several trainers read each line as a caption of its own.

    Args:
        caption: as stored.
        name: the picture's, for messages.

    Raises:
        InputError: the caption is empty.
    """
    text = " ".join(caption.split())
    if not text:
        raise InputError(f"{name} has an empty caption; every picture needs one to train with")
    return text
