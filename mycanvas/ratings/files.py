"""Read and write files of people's ratings: ranks of scenes, scores of generated images, choices between two.

All are JSON Lines in UTF-8, one rating per line, appended to while people rate:

    quality, 1 to 5      {"rater": "ana", "item": "67c21924cf-00012", "score": 4}
    preference, 1 to 10  {"rater": "ana", "item": "cat2+dog6/3", "score": 8, "arm": "Ours + MyCanvas",
                          "split": "objects_le3", "question": "personalization"}
    choice of a pair     {"rater": "ana", "item": "cat2+dog6/3", "arms": ["ours", "baseline"], "chosen": "ours",
                          "split": "objects_le3", "question": "personalization"}

If a rater rates the same item again, the later line replaces the earlier one. `Rating`, `Preference` and `PairChoice`
document the fields; a line with an unknown or a missing field is an error.
"""

from __future__ import annotations

import codecs
import json
import logging
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from mycanvas.errors import InputError, StoreError
from mycanvas.io.files import os_errors, write_text
from mycanvas.io.regular import read_regular
from mycanvas.ratings.entries import AnyEntry, Entry, PairChoice, Preference, Rating, example, parse_entry

log = logging.getLogger("mycanvas")

SHOWN = 5
"""Maximum number of invalid lines, or unknown items, that an error lists."""


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


def read_choices(path: Path) -> tuple[PairChoice, ...]:
    """Read the choices in a file: the last of each rater, pair of arms, item and question; else as `read_ratings`."""
    return _read(path, PairChoice)


_READERS: Mapping[type[AnyEntry], Callable[[Path], Sequence[AnyEntry]]] = {
    Rating: read_ratings,
    Preference: read_preferences,
    PairChoice: read_choices,
}


def check_replaceable(path: Path, entries: Sequence[AnyEntry]) -> None:
    """Check that a file of entries may be replaced by others: it does not exist, or they include all of it.

    Raises:
        StoreError: the file has other entries, or is no such file.
    """
    if not os.path.lexists(path) or not entries:
        return
    try:
        earlier: Sequence[AnyEntry] = _READERS[type(entries[0])](path)
    except InputError as error:
        raise StoreError(f"{path} exists and is no such file of ratings; choose another --output") from error
    if {entry.key for entry in earlier} - {entry.key for entry in entries}:
        raise StoreError(f"{path} has ratings that would be lost; choose another --output")


def write_entries(path: Path, entries: Iterable[AnyEntry]) -> None:
    """Write entries of one kind as JSON Lines, whole or not at all; the readers above read them.

    Raises:
        StoreError: the file cannot be written.
    """
    write_text(path, "".join(json.dumps(asdict(entry), ensure_ascii=False) + "\n" for entry in entries))


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
        raise InputError(f"{path} has no ratings; expected lines like {example(kind)}")
    return tuple(found.values())


def _parse(line: bytes, kind: type[Entry]) -> Entry:
    try:
        values = json.loads(line.decode())
    except RecursionError:
        raise ValueError("nested too deeply for a rating") from None
    return parse_entry(values, kind)
