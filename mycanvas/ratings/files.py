"""Read files of people's ratings: ranks of scenes (quality), and scores of generated images (preference).

Both are JSON Lines in UTF-8, one rating per line, appended to while people rate:

    quality, 1 to 5      {"rater": "ana", "item": "67c21924cf-00012", "score": 4}
    preference, 1 to 10  {"rater": "ana", "item": "cat2+dog6/3", "score": 8, "arm": "Ours + MyCanvas",
                          "split": "objects_le3", "question": "personalization"}

If a rater rates the same item again, the later line replaces the earlier one. `Rating` and `Preference` document the
fields; a line with an unknown or a missing field is an error.
"""

from __future__ import annotations

import codecs
import dataclasses
import json
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from mycanvas.errors import InputError
from mycanvas.io.files import os_errors
from mycanvas.io.regular import read_regular
from mycanvas.io.text import UNWRITABLE, brief
from mycanvas.schema import SPLITS

log = logging.getLogger("mycanvas")

RANKS = range(1, 6)
"""Quality ranks; the paper keeps scenes of rank 4 and 5."""
PREFERENCE_SCORES = range(1, 11)
"""Scores of the preference study."""
SHOWN = 5
"""Maximum number of invalid lines, or unknown items, that an error lists."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Rating:
    """One person's rank of one scene.

    rater: the person, under the same name in every line. item: the scene's id. score: 1 (worst) to 5 (best).

    Raises:
        ValueError: a field has an invalid value.
    """

    rater: str
    item: str
    score: int

    def __post_init__(self) -> None:
        _check_names(rater=self.rater, item=self.item)
        _check_score(self.score, RANKS)

    @property
    def key(self) -> tuple[str, ...]:
        """Identifies the rating: a later one with the same key replaces it."""
        return self.rater, self.item


@dataclass(frozen=True, kw_only=True, slots=True)
class Preference:
    """One person's score of one image that an arm of a study generated.

    rater: as in Rating. item: the image's name, the same in every arm. score: 1 (worst) to 10 (best).
    arm: the method that generated the image. split: of its composition, one of SPLITS.
    question: asked about the image, if the study asks several; the poster prints two numbers per arm.

    Raises:
        ValueError: a field has an invalid value.
    """

    rater: str
    item: str
    score: int
    arm: str
    split: str
    question: str = ""

    def __post_init__(self) -> None:
        _check_names(rater=self.rater, item=self.item, arm=self.arm)
        _check_score(self.score, PREFERENCE_SCORES)
        if self.split not in SPLITS:
            raise ValueError(f"split: expected one of {', '.join(SPLITS)}, got {_shown(self.split)}")
        if not isinstance(self.question, str) or UNWRITABLE.search(self.question):
            raise ValueError(f"question: expected text, got {_shown(self.question)}")

    @property
    def key(self) -> tuple[str, ...]:
        """Identifies the preference: a later one with the same key replaces it."""
        return self.rater, self.arm, self.item, self.question


Entry = TypeVar("Entry", Rating, Preference)


def read_ratings(path: Path) -> tuple[Rating, ...]:
    """Read the quality ratings in a file: the last of each rater and scene.

    An incomplete last line, left by a program that was killed while it wrote, is left out with a warning.

    Raises:
        InputError: the file cannot be read, is empty, or has invalid lines; the message lists them by number.
    """
    return _read(path, Rating)


def read_preferences(path: Path) -> tuple[Preference, ...]:
    """Read the preferences in a file: the last of each rater, arm, item and question; else as `read_ratings`."""
    return _read(path, Preference)


def _read(path: Path, kind: type[Entry]) -> tuple[Entry, ...]:
    with os_errors(path, "read"):
        lines = read_regular(path).removeprefix(codecs.BOM_UTF8).split(b"\n")
    found: dict[tuple[str, ...], Entry] = {}
    invalid: list[str] = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            entry = _parse(line, kind)
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            if number == len(lines):  # no newline ends it
                log.warning("%s: line %d is incomplete and left out; rate its item again", path, number)
            else:
                invalid.append(f"line {number}: not JSON in UTF-8: {error}")
        except ValueError as error:
            invalid.append(f"line {number}: {error}")
        else:
            found[entry.key] = entry
    if invalid:
        more = f"\n  and {len(invalid) - SHOWN} more" if len(invalid) > SHOWN else ""
        shown = "".join(f"\n  {each}" for each in invalid[:SHOWN])
        raise InputError(f"{path} has invalid ratings; correct or delete these lines{shown}{more}")
    if not found:
        raise InputError(f"{path} has no ratings; expected lines like {_example(kind)}")
    return tuple(found.values())


def _parse(line: bytes, kind: type[Entry]) -> Entry:
    try:
        values = json.loads(line.decode())
    except RecursionError:
        raise ValueError("nested too deeply for a rating") from None
    if not isinstance(values, dict):
        raise ValueError(f"expected an object like {_example(kind)}, got {_shown(values)}")
    fields = {field.name: field.default is dataclasses.MISSING for field in dataclasses.fields(kind)}
    for name in values:
        if name not in fields:
            raise ValueError(f"unknown field {_shown(name)}; the fields are {', '.join(fields)}")
    missing = [name for name, required in fields.items() if required and name not in values]
    if missing:
        raise ValueError(f"missing field {', '.join(missing)}")
    return kind(**values)


def _example(kind: type[Entry]) -> str:
    shared: dict[str, Any] = {"rater": "ana", "item": "67c21924cf-00012", "score": 4}
    return json.dumps(shared if kind is Rating else {**shared, "arm": "ours", "split": SPLITS[0]})


def _check_names(**names: object) -> None:
    for field, name in names.items():
        if not isinstance(name, str) or not name.strip() or UNWRITABLE.search(name):
            raise ValueError(f"{field}: expected a name, got {_shown(name)}")


def _check_score(score: object, allowed: range) -> None:
    if type(score) is not int or score not in allowed:
        raise ValueError(f"score: expected a whole number from {allowed[0]} to {allowed[-1]}, got {_shown(score)}")


def _shown(value: object) -> str:
    try:
        return brief(json.dumps(value, ensure_ascii=False, default=repr))
    except RecursionError:  # as deep as the JSON that it comes from
        return "a value that is nested too deeply"
