"""People's ratings: what a file of them holds, and the poster's two tables made of such files.

Both files are JSON Lines in UTF-8, one rating to a line, appended to as people rate:

    quality, 1 to 5      {"rater": "ana", "item": "67c21924cf-00012", "score": 4}
    preference, 1 to 10  {"rater": "ana", "item": "cat2+dog6/3", "score": 8, "arm": "Ours + MyCanvas",
                          "split": "objects_le3", "question": "personalization"}

A rater who rates the same thing again has changed their mind: the later line counts. `Rating` and `Preference` say what
each field is; a line with another field, or without one, is refused.
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
from mycanvas.metrics.protocol import UNWRITABLE
from mycanvas.schema import SPLITS

log = logging.getLogger("mycanvas")

RANKS = range(1, 6)
"""Quality: people rank scenes from 1 to 5, and the paper keeps those of rank 4 and 5."""
PREFERENCES = range(1, 11)
"""The preference study's scores."""
SHOWN = 5
"""Wrong lines, or unknown items, that an error names."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Rating:
    """What one person thinks of one scene.

    rater: whoever it is, by a name that stays the same. item: the scene's id. score: 1 (worst) to 5 (best).

    Raises:
        ValueError: a field is not that.
    """

    rater: str
    item: str
    score: int

    def __post_init__(self) -> None:
        _check_names(rater=self.rater, item=self.item)
        _check_score(self.score, RANKS)

    @property
    def about(self) -> tuple[str, ...]:
        """Two ratings with the same are of one person and one thing."""
        return self.rater, self.item


@dataclass(frozen=True, kw_only=True, slots=True)
class Preference:
    """What one person thinks of one picture that an arm of a study generated.

    rater: as of a Rating. item: what was generated, by a name that is the same in every arm.
    score: 1 (worst) to 10 (best). arm: who generated it. split: the split of its composition, one of SPLITS.
    question: what was asked, if the study asks several things of one picture; the poster prints two numbers to an arm.

    Raises:
        ValueError: a field is not that.
    """

    rater: str
    item: str
    score: int
    arm: str
    split: str
    question: str = ""

    def __post_init__(self) -> None:
        _check_names(rater=self.rater, item=self.item, arm=self.arm)
        _check_score(self.score, PREFERENCES)
        if self.split not in SPLITS:
            raise ValueError(f"split is one of {', '.join(SPLITS)}, got {_shown(self.split)}")
        if not isinstance(self.question, str) or UNWRITABLE.search(self.question):
            raise ValueError(f"question is text, got {_shown(self.question)}")

    @property
    def about(self) -> tuple[str, ...]:
        """Two preferences with the same are of one person and one thing."""
        return self.rater, self.arm, self.item, self.question


Entry = TypeVar("Entry", Rating, Preference)


def read_ratings(path: Path) -> tuple[Rating, ...]:
    """The quality ratings in a file, of each rater and scene the last.

    A last line that was cut off, as when a program was killed while it wrote, is told as a warning and left out.

    Raises:
        InputError: the file cannot be read or holds nothing, or lines in it are wrong; these are named by number.
    """
    return _read(path, Rating)


def read_preferences(path: Path) -> tuple[Preference, ...]:
    """The preferences in a file, of each rater, arm, item and question the last; else as `read_ratings`."""
    return _read(path, Preference)


def _read(path: Path, kind: type[Entry]) -> tuple[Entry, ...]:
    try:
        lines = path.read_bytes().removeprefix(codecs.BOM_UTF8).split(b"\n")
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
    found: dict[tuple[str, ...], Entry] = {}
    wrong: list[str] = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            entry = _parse(line, kind)
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            if number == len(lines):  # No newline ends it.
                log.warning("%s: line %d is cut off and left out; rate that item again", path, number)
            else:
                wrong.append(f"line {number}: not JSON in UTF-8: {error}")
        except ValueError as error:
            wrong.append(f"line {number}: {error}")
        else:
            found[entry.about] = entry
    if wrong:
        more = f"\n  and {len(wrong) - SHOWN} more" if len(wrong) > SHOWN else ""
        shown = "".join(f"\n  {each}" for each in wrong[:SHOWN])
        raise InputError(f"{path}: lines that are no ratings; mend or delete them{shown}{more}")
    if not found:
        raise InputError(f"{path} holds no ratings; expected lines like {_example(kind)}")
    return tuple(found.values())


def _parse(line: bytes, kind: type[Entry]) -> Entry:
    try:
        values = json.loads(line.decode())
    except RecursionError:
        raise ValueError("not a rating: nested too deeply") from None
    if not isinstance(values, dict):
        raise ValueError(f"expected an object like {_example(kind)}, got {_shown(values)}")
    fields = {field.name: field.default is dataclasses.MISSING for field in dataclasses.fields(kind)}
    for name in values:
        if name not in fields:
            raise ValueError(f"unknown field {_shown(name)}; the fields are {', '.join(fields)}")
    missing = [name for name, needed in fields.items() if needed and name not in values]
    if missing:
        raise ValueError(f"{', '.join(missing)} is missing")
    return kind(**values)


def _example(kind: type[Entry]) -> str:
    shared: dict[str, Any] = {"rater": "ana", "item": "67c21924cf-00012", "score": 4}
    return json.dumps(shared if kind is Rating else {**shared, "arm": "ours", "split": SPLITS[0]})


def _check_names(**names: object) -> None:
    for field, name in names.items():
        if not isinstance(name, str) or not name.strip() or UNWRITABLE.search(name):
            raise ValueError(f"{field} is a name, got {_shown(name)}")


def _check_score(score: object, allowed: range) -> None:
    if type(score) is not int or score not in allowed:
        raise ValueError(f"score is a whole number from {allowed[0]} to {allowed[-1]}, got {_shown(score)}")


def _shown(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False, default=repr)
    text = UNWRITABLE.sub(lambda found: ascii(found[0])[1:-1], text)
    return text if len(text) <= 60 else f"{text[:59]}…"
