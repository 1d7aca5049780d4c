"""Describe the differences between two requests of a build."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

SHOWN = 60
"""Characters of a value that are shown."""

_PARTS: Mapping[str, Sequence[str]] = {
    "photo": ("content",),
    "concept": ("token", "class_noun", "height_cm"),
    "background": ("content", "phrase", "horizon", "ground"),
    "model": ("revision",),
}
"""Kinds of entries with a name of their own, such as "photo dog6/00.jpg", and the meaning of their values, in order."""


def changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """One line for each name whose value differs; None is the same as being absent.

    Args:
        before: the request of the build in the folder, from its build.json.
        now: the request of this run.
    """
    names = [name for name in sorted({*before, *now}) if before.get(name) != now.get(name)]
    return [f"  {_printable(name):<12}  {_difference(name, before.get(name), now.get(name))}" for name in names]


def _difference(name: str, was: Any, now: Any) -> str:
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
