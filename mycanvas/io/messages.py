"""Words of error messages: the nearest known name, counts, differences, and each wrong value of a configuration."""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mycanvas.english import plural
from mycanvas.io.tables import table_lines
from mycanvas.io.text import brief, brief_repr

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

_KINDS: Mapping[str, str] = {
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "dict_type": "a table of keys and values",
    "finite_number": "a finite number",
    "float_parsing": "a number",
    "float_type": "a number",
    "int_from_float": "a whole number",
    "int_parsing": "a whole number",
    "int_type": "a whole number",
    "list_type": "a list",
    "model_attributes_type": "a table of keys and values",
    "model_type": "a table of keys and values",
    "path_type": "a path",
    "string_type": "text",
    "tuple_type": "a list",
}
"""The expected type, by the type of pydantic's error: https://docs.pydantic.dev/latest/errors/validation_errors."""

MAX_VALUE = 100
"""Longest value in a message, in characters; longer ones are cut."""

_BOUNDS: Mapping[str, Callable[[Any], str]] = {
    "greater_than": lambda bound: _number("above", bound["gt"]),
    "greater_than_equal": lambda bound: _number("of at least", bound["ge"]),
    "less_than": lambda bound: _number("below", bound["lt"]),
    "less_than_equal": lambda bound: _number("of at most", bound["le"]),
    "literal_error": lambda bound: str(bound["expected"]),
    "string_too_long": lambda bound: f"text of at most {counted(bound['max_length'], 'character')}",
    "string_too_short": lambda bound: f"text of at least {counted(bound['min_length'], 'character')}",
    "too_long": lambda bound: _sized("of at most", bound["max_length"], bound["field_type"]),
    "too_short": lambda bound: _sized("of at least", bound["min_length"], bound["field_type"]),
}
"""The expected value, by the type of pydantic's error, for errors that come with a bound."""


def closest(name: str, known: Iterable[str], *, similarity: float = 0.5) -> str | None:
    """The known name that is most like a mistyped one; None if none is.

    Args:
        name: the unknown name.
        known: all known names.
        similarity: the least that counts as alike, 0 (any name) to 1 (the same name), as difflib measures it.
    """
    return next(iter(difflib.get_close_matches(name, list(known), n=1, cutoff=similarity)), None)


def nearest(name: str, known: Sequence[str], *, similarity: float = 0.5) -> str:
    """A hint for an unknown name: "did you mean samples?"; where none is like it: "known: samples, seed"."""
    near = closest(name, known, similarity=similarity)
    return f"did you mean {near}?" if near else f"known: {', '.join(known)}"


def counted(count: int, noun: str) -> str:
    """A number of things: "1 file", "2 files", "0 entries"."""
    return f"{count} {noun if count == 1 else plural(noun)}"


def byte_size(size: int) -> str:
    """A number of bytes: "3.4 kB", "12.00 MB"."""
    return f"{size / 1e3:.1f} kB" if size < 1e6 else f"{size / 1e6:.2f} MB"


def was_now(was: Any, now: Any) -> str:
    """The difference of two values of JSON types: 'was 20, now 30', 'was not given, now "plain"'."""
    return f"was {shown_value(was)}, now {shown_value(now)}"


def shown_value(value: Any) -> str:
    """A value of JSON types as messages show it: as JSON, cut to MAX_VALUE characters."""
    return "not given" if value is None else brief(json.dumps(value, ensure_ascii=False), MAX_VALUE)


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """A line for each name whose value differs: "  steps  was 20, now 30"; None equals a missing name."""
    names = [name for name in dict.fromkeys([*now, *before]) if before.get(name) != now.get(name)]
    rows = [(f"  {name}", was_now(before.get(name), now.get(name))) for name in names]
    return table_lines(rows, align="left") if rows else []


def explain(error: ErrorDetails, known: Sequence[str]) -> str:
    """Describe one of pydantic's errors in a line: "samples: expected a whole number of at least 1, got 0".

    Args:
        error: its place, its type and the value that was given.
        known: the keys that are allowed in that place; none where they are not known.
    """
    place = _place(error["loc"])
    if error["type"] == "extra_forbidden":
        hint = f"; {nearest(str(error['loc'][-1]), known)}" if known else ""
        return f"unknown key {place}{hint}"
    if error["type"] == "missing":
        return f"{place} is missing"
    problem = _problem(error)
    return f"{place}: {problem}" if place else problem


def _place(location: Sequence[str | int]) -> str:
    """A place in a configuration: "segment.backend", or "entry 2 of compositions", counted from 1."""
    parts: list[str] = []
    for before, part in zip((0, *location), location, strict=False):
        if isinstance(part, int):
            parts.append(f"entry {part + 1}")
        elif isinstance(before, str):
            parts[-1] += f".{brief(part)}"
        else:
            parts.append(brief(part))
    return " of ".join(reversed(parts))


def _problem(error: ErrorDetails) -> str:
    kind, given = error["type"], f"got {brief_repr(error['input'])}"
    if kind == "value_error":  # raised by a validator of ours
        return str(error["ctx"]["error"])
    if kind in _BOUNDS:
        return f"expected {_BOUNDS[kind](error['ctx'])}, {given}"
    if kind in _KINDS:
        return f"expected {_KINDS[kind]}, {given}"
    return f"{error['msg'][0].lower()}{error['msg'][1:]}, {given}"


def _sized(relation: str, length: int, kind: str) -> str:
    what, part = ("a table", "key") if kind == "Dictionary" else ("a list", "value")
    return f"{what} {relation} {counted(length, part)}"


def _number(relation: str, bound: float) -> str:
    # pydantic gives a bound the type of its field
    return f"a whole number {relation} {bound}" if isinstance(bound, int) else f"a number {relation} {bound:g}"
