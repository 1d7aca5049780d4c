"""What differs between what a build was asked to do before and what it is asked now, in words."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

SHOWN = 60
"""Characters of a value that are repeated."""

_PARTS: Mapping[str, Sequence[str]] = {
    "photo": ("content",),
    "concept": ("token", "class_noun", "height_cm"),
    "background": ("content", "phrase", "horizon", "ground"),
    "model": ("revision",),
}
"""Things of which a build may have any number, "photo dog6/00.jpg", and what the values of each mean, in order."""


def changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """One line for each name whose value differs; None is the same as being absent.

    If concepts were added or removed, the first line says so, and their photos have no lines of their own.

    Args:
        before: what the build in the folder was asked to do, as in its build.json.
        now: the same of the build that is expected.
    """
    names = [name for name in sorted({*before, *now}) if before.get(name) != now.get(name)]
    was, has = _concepts(before), _concepts(now)
    exchanged = set(was) ^ set(has)
    if exchanged:
        names = [name for name in names if _concept_of(name) not in exchanged]
    first = [f"  {'concepts':<12}  were {_listed(was)}, now {_listed(has)}"] if exchanged else []
    return first + [f"  {_printable(name):<12}  {_told(name, before.get(name), now.get(name))}" for name in names]


def _concepts(request: Mapping[str, Any]) -> list[str]:
    return [
        name.removeprefix("concept ")
        for name, value in sorted(request.items())
        if value and name.startswith("concept ")
    ]


def _concept_of(name: str) -> str | None:
    """The concept that a name is about: "dog6" for "concept dog6" and "photo dog6/00.jpg"."""
    kind, _, thing = name.partition(" ")
    return thing if kind == "concept" else thing.split("/")[0] if kind == "photo" else None


def _listed(names: Sequence[str]) -> str:
    return _shown(", ".join(map(_printable, names)) or None).strip('"')


def _told(name: str, was: Any, now: Any) -> str:
    kind, _, thing = name.partition(" ")
    if not (thing and kind in _PARTS):
        return f"was {_shown(was)}, now {_shown(now)}"
    if was is None or now is None:
        return "was added" if was is None else "was removed"
    if not (isinstance(was, list) and isinstance(now, list)):
        was, now = [was], [now]
    parts = zip(_PARTS[kind], was, now, strict=False)
    return ", ".join(_part(part, old, new) for part, old, new in parts if old != new) or "has changed"


def _part(part: str, was: Any, now: Any) -> str:
    return "has changed" if part == "content" else f"{part} was {_shown(was)}, now {_shown(now)}"


def _shown(value: Any) -> str:
    if value is None:
        return "not given"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"


def _printable(name: str) -> str:
    return name if name.isprintable() else repr(name)[1:-1]
