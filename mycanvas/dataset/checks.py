"""Checks of the rows of a dataset, which may come from anywhere: each row is checked once, where it is read."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any

from mycanvas.dataset.names import check_id
from mycanvas.errors import InputError
from mycanvas.io.text import brief_repr

Columns = Mapping[str, Any]
"""Columns of one row, by name."""

MAX_OBJECTS = 5
_OPTIONAL = frozenset({"long_caption", "rank", "quality", "attribution", "height_cm", "used"})


def check_scene(row: Columns, place: str) -> None:
    """Refuse a scene with a wrong id, a missing or wrong value, or lists of different lengths.

    Args:
        row: its small columns, or some of them.
        place: the dataset, for messages.

    Raises:
        InputError: naming the scene, the column and what was expected.
    """
    check_id(row["id"], place)
    scene = f"scene {row['id']} of {place}"
    _check_values(row, scene)
    lengths = {len(row[name]) for name in ("boxes", "concept_tokens", "class_names") if name in row}
    if lengths and (len(lengths) > 1 or 0 in lengths):
        raise InputError(f"{scene} has not one token and one class name for each box")
    if lengths and max(lengths) > MAX_OBJECTS:
        raise InputError(f"{scene} has {max(lengths)} objects; expected 1 to {MAX_OBJECTS}")


def check_photo(row: Columns, place: str) -> None:
    """Refuse a source photo with a missing or wrong value.

    Args:
        row: its small columns, or some of them; `id` is one.
        place: the dataset, for messages.

    Raises:
        InputError: naming the photo, the column and what was expected.
    """
    _check_values(row, f"the source photo {brief_repr(row['id'])} of {place}")


def _check_values(row: Columns, subject: str) -> None:
    for column, value in row.items():
        if value is None:
            if column in _OPTIONAL:
                continue
            raise InputError(f"{subject} has no {column}")
        expected, is_right = _KINDS[column]
        if not is_right(value):
            raise InputError(f"{subject}: expected {expected} in {column}, got {brief_repr(value)}")


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(text, str) for text in value)


def _is_number(value: object) -> bool:
    # An integer may be larger than any float; NaN is not smaller.
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) <= sys.float_info.max


def _is_boxes(value: object) -> bool:
    return isinstance(value, list) and all(map(_is_box, value))


def _is_box(value: object) -> bool:
    return isinstance(value, list) and len(value) == 4 and all(map(_is_number, value)) and min(value[2:]) > 0


def _is_scores(value: object) -> bool:
    return isinstance(value, dict) and all(score is None or isinstance(score, (int, float)) for score in value.values())


_TEXT = ("text", _is_text)
_TEXTS = ("a list of texts", _is_texts)
_NUMBER = ("a finite number", _is_number)
_KINDS: Mapping[str, tuple[str, Callable[[object], bool]]] = {
    **dict.fromkeys(("id", "caption", "prompt", "long_caption", "background", "composition", "provenance"), _TEXT),
    **dict.fromkeys(("concept", "concept_token", "class_name", "attribution"), _TEXT),
    **dict.fromkeys(("concept_tokens", "class_names", "source_images"), _TEXTS),
    **dict.fromkeys(("rank", "quality", "height_cm"), _NUMBER),
    "boxes": ("x, y, width and height of each box", _is_boxes),
    "scores": ("numbers", _is_scores),
    "used": ("true or false", lambda value: isinstance(value, bool)),
}
"""The kind of value in each column: in words, and as a check."""
