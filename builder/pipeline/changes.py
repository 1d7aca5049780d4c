"""Describe the differences between two build requests, one line per setting."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mycanvas.errors import StoreError
from mycanvas.io.messages import shown_value, was_now
from mycanvas.io.tables import table_lines
from mycanvas.io.text import shown

_MAY_BE_ADDED = ("concept ", "photo ", "background ")
_COUNTS = ("samples", "samples_per_composition", "keep")
SHOWN = 12
"""Differences that a message lists; the others are counted."""

_PARTS: Mapping[str, Sequence[str]] = {
    "photo": ("content",),
    "concept": ("token", "class_noun", "height_cm"),
    "background": ("content", "phrase", "horizon", "ground"),
    "model": ("revision",),
}
"""Names of the parts of a value, for kinds of setting that a request may have several of, as in "photo dog6/00.jpg"."""


def built_otherwise(folder: Path | str, lines: Sequence[str]) -> StoreError:
    """The error for a folder that was built from another request; lines: the result of `changes`."""
    first = f"{folder} was built with another configuration"
    last = "Use another --output, which finds the same cut-outs in the cache, or the same configuration to resume."
    return StoreError("\n".join([first, *lines, last]))


def refused(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Describe, as `changes` does, the differences that a build with scenes cannot take.

    What it can take is more: concepts, photos, backgrounds, compositions, samples.

    Args:
        before: the request of the build.
        now: the new request.
    """
    added = {name for name in now if name not in before and name.startswith(_MAY_BE_ADDED)}
    grown = {name for name in (*_COUNTS, "compositions") if _has_grown(name, before.get(name), now.get(name))}
    return changes(
        before,
        {name: value for name, value in now.items() if name not in added | grown}
        | {name: before[name] for name in grown if name in before},
    )


def _has_grown(name: str, before: Any, now: Any) -> bool:
    """Whether a number of scenes or the list of compositions has grown, or is given in another way."""
    if name == "compositions":
        return {frozenset(each) for each in before or ()} <= {frozenset(each) for each in now or ()}
    return name == "keep" or before is None or now is None or now >= before


def changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Describe each name whose value differs, in one line of two columns; None equals a missing name.

    If concepts were added or removed, the first line says so, and their photos have no lines of their own. If a backend
    was replaced, settings that only one of the two requests has are not listed: they came or went with it.

    Args:
        before: the request of the build in the folder, from its build.json.
        now: the new request.

    Returns:
        The lines, indented; of more than SHOWN, the first ones and the number of the others.
    """
    names = [
        name
        for name in sorted({*before, *now}, key=lambda name: (_is_item(name), name))
        if before.get(name) != now.get(name)
    ]
    if any(name.endswith(".backend") for name in names):
        names = [name for name in names if _is_item(name) or (name in before and name in now)]
    was, has = _concepts(before), _concepts(now)
    exchanged = set(was) ^ set(has)
    if exchanged:
        names = [name for name in names if _concept_of(name) not in exchanged]
    rows = [("  concepts", f"were {_listed(was)}, now {_listed(has)}")] if exchanged else []
    rows += [(f"  {shown(name)}", _difference(name, before.get(name), now.get(name))) for name in names]
    more = [f"  … and {len(rows) - SHOWN} more"] if len(rows) > SHOWN else []
    return [*(table_lines(rows[:SHOWN], align="left") if rows else []), *more]


def _is_item(name: str) -> bool:
    """Whether a name is that of a photo, a concept, a background or a model, not of a setting."""
    kind, _, item = name.partition(" ")
    return bool(item) and kind in _PARTS


def _concepts(request: Mapping[str, Any]) -> list[str]:
    return [
        name.removeprefix("concept ")
        for name, value in sorted(request.items())
        if value and name.startswith("concept ")
    ]


def _concept_of(name: str) -> str | None:
    """The concept that a name is about: "dog6" for "concept dog6" and "photo dog6/00.jpg"."""
    kind, _, item = name.partition(" ")
    return item if kind == "concept" else item.split("/")[0] if kind == "photo" else None


def _listed(names: Sequence[str]) -> str:
    return shown_value(", ".join(map(shown, names)) or None).strip('"')


def _difference(name: str, was: Any, now: Any) -> str:
    if not _is_item(name):
        return was_now(was, now)
    if was is None or now is None:
        return "was added" if was is None else "was removed"
    if not (isinstance(was, list) and isinstance(now, list)):
        was, now = [was], [now]
    parts = zip(_PARTS[name.split(" ")[0]], was, now, strict=False)
    changed = [(part, old, new) for part, old, new in parts if old != new]
    described = ["has changed" if part == "content" else f"{part} {was_now(old, new)}" for part, old, new in changed]
    return ", ".join(described) or "has changed"
