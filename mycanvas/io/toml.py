"""Read TOML files that were written by hand; merge and flatten tables; write strings."""

from __future__ import annotations

import codecs
import json
import os
import re
import tomllib
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from mycanvas.errors import ConfigError, InputError
from mycanvas.io.regular import open_regular
from mycanvas.io.store import is_url
from mycanvas.io.text import brief, brief_repr

MAX_BYTES = 2**20
"""Of a file that was written by hand."""

_CONTROL = re.compile(r"[\0-\x08\x0b-\x1f\x7f-\x9f]")
"""Control characters other than tab and line feed: names and captions are shown in terminals."""
_LOCAL = ("./", "../", "~/")
"""How names of local models begin."""
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_DEEP_KEY = re.compile(r"(?<![\w'\"-])(?:[\w'\"-]++[ \t]*+\.[ \t]*+){100}")
"""A dotted key of a hundred parts: `tomllib` takes a time that grows with the square of their number."""


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file; a byte order mark, as Notepad writes it, is ignored.

    Raises:
        OSError: it cannot be read.
        ConfigError: it is no regular file, too large, not UTF-8, not TOML, or has a value that no setting can have.
    """
    try:
        with open_regular(path) as file:
            data = file.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise ConfigError(f"{path} is larger than {MAX_BYTES // 2**20} MiB; expected a few lines of TOML")
        if b"\0" in data and not data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            raise ConfigError(f"{path} is not a text file; expected TOML")
        text = data.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
        if _DEEP_KEY.search(text):
            raise RecursionError
        values = tomllib.loads(text)
        problem = next(_problems(values, ""), None)
    except InputError as error:
        raise ConfigError(f"{path} is {error}; expected a TOML file") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not UTF-8; save it as UTF-8") from error
    except RecursionError as error:
        raise ConfigError(f"{path} is nested too deeply; expected tables of plain values") from error
    except ValueError as error:  # a TOMLDecodeError, or of Python: an integer of thousands of digits
        raise ConfigError(f"{path} is not TOML: {error}") from error
    if problem:
        raise ConfigError(f"{path}: {problem}")
    return values


def located(values: Mapping[str, Any], folder: Path, paths: Collection[str]) -> dict[str, Any]:
    """Resolve paths, and local models such as "./name", from the folder of the file that names them.

    "~" is the user's home; URLs stay as they are.

    Args:
        values: of the file.
        folder: of the file.
        paths: keys whose values are paths, in any table.
    """
    found: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            found[key] = located(value, folder, paths)
        elif isinstance(value, str) and value and not is_url(value) and (key in paths or value.startswith(_LOCAL)):
            base = folder if key in paths else folder.absolute()
            found[key] = str(base / os.path.expanduser(value))
        else:
            found[key] = value
    return found


def _problems(value: object, place: str) -> Iterator[str]:
    """Text with control characters, and integers that TOML does not allow."""
    if isinstance(value, str) and (found := _CONTROL.search(value)):
        yield f"{brief(place)} has the control character {found.group()!r}; remove it"
    elif isinstance(value, int) and not -(2**63) <= value < 2**63:
        yield f"{brief(place)} is an integer of more than 64 bits"
    elif isinstance(value, list):
        for each in value:
            yield from _problems(each, place)
    elif isinstance(value, Mapping):
        for key, each in value.items():
            name = f"{place}.{key}" if place else key
            if found := _CONTROL.search(key):
                yield f"the key {brief_repr(name)} has the control character {found.group()!r}; remove it"
            yield from _problems(each, name)


def toml_string(text: str) -> str:
    """Text as a TOML string. JSON's strings are TOML's, but for the delete character, which TOML requires escaped."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def toml_key(name: str) -> str:
    """A name as a key or table of TOML: as it is if it needs no quotation marks."""
    return name if _BARE_KEY.fullmatch(name) else toml_string(name)


def merge(base: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Merge two tables, and the tables in them; where both have a value, that of `above` is used."""
    merged = dict(base)
    for key, value in above.items():
        below = merged.get(key)
        merged[key] = merge(below, value) if isinstance(below, Mapping) and isinstance(value, Mapping) else value
    return merged


def flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Flatten nested tables: {"layout": {"scale": 1}} -> {"layout.scale": 1}."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = value
    return flat
