"""What is wrong with a name or a value, in one line that says what to do."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pydantic_core import ErrorDetails

SHOWN = 60
"""Characters of a wrong value that are repeated; it may be a whole table."""

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
    "model_type": "a table of keys and values",
    "path_type": "a path",
    "string_type": "text",
    "tuple_type": "a list",
}
"""What was expected, by pydantic's name of the complaint: https://docs.pydantic.dev/latest/errors/validation_errors."""

_BOUNDS: Mapping[str, Callable[[Any], str]] = {
    "greater_than": lambda bound: _number("above", bound["gt"]),
    "greater_than_equal": lambda bound: _number("of at least", bound["ge"]),
    "less_than": lambda bound: _number("below", bound["lt"]),
    "less_than_equal": lambda bound: _number("of at most", bound["le"]),
    "literal_error": lambda bound: str(bound["expected"]),
    "string_too_long": lambda bound: f"text of at most {_some(bound['max_length'], 'character')}",
    "string_too_short": lambda bound: f"text of at least {_some(bound['min_length'], 'character')}",
    "too_long": lambda bound: f"a list of at most {_some(bound['max_length'], 'value')}",
    "too_short": lambda bound: f"a list of at least {_some(bound['min_length'], 'value')}",
}
"""The same for complaints that come with a bound."""


def nearest(name: str, known: Sequence[str]) -> str:
    """The known name that was most likely meant, or all of them."""
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"did you mean {near[0]}?" if near else f"known: {', '.join(known)}"


def explain(error: ErrorDetails, known: Sequence[str]) -> str:
    """One of pydantic's complaints: "samples: expected a whole number of at least 1, got 0".

    Args:
        error: with the place, the complaint and the value that was given.
        known: the keys that could have stood in that place.
    """
    place = ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        return f"unknown key {place}; {nearest(str(error['loc'][-1]), known)}"
    if error["type"] == "missing":
        return f"{place} is missing"
    said = _said(error)
    return f"{place}: {said}" if place else said


def _said(error: ErrorDetails) -> str:
    kind, given = error["type"], f"got {_shown(error['input'])}"
    if kind == "value_error":  # A check of our own, whose words are ours.
        return str(error["ctx"]["error"])
    if kind in _BOUNDS:
        return f"expected {_BOUNDS[kind](error['ctx'])}, {given}"
    if kind in _KINDS:
        return f"expected {_KINDS[kind]}, {given}"
    return f"{error['msg'][0].lower()}{error['msg'][1:]}, {given}"


def _number(relation: str, bound: float) -> str:
    # pydantic gives a bound the type of its field.
    return f"a whole number {relation} {bound}" if isinstance(bound, int) else f"a number {relation} {bound:g}"


def _some(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…"
