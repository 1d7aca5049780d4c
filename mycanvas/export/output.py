"""The output folder of an export: it holds no other files, and a marker says whether the export is complete."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mycanvas.errors import StoreError
from mycanvas.io.files import UNFINISHED, os_errors, write_json
from mycanvas.io.ownership import check_ownership

MARKER = ".mycanvas-export.json"
"""Written first, and again with `finished` true when everything is on disk. Hidden, because readers of image folders
skip hidden files."""


def is_finished(output: Path, identity: Mapping[str, Any]) -> bool:
    """Whether a folder holds this export already; false if it is empty or the export was interrupted.

    Args:
        output: the folder; it need not exist.
        identity: everything that the exported files depend on, as JSON types.

    Raises:
        StoreError: it holds other files, or another export.
    """
    if not check_ownership(output, MARKER, _is_unfinished_marker):
        return False
    marked = _read(output / MARKER)
    finished = bool(marked.pop("finished", False))
    if marked == identity:
        return finished
    kind = "an export" if finished else "an unfinished export"
    changed = ", ".join(key for key in identity if marked.get(key) != identity[key])
    since = ", or of this one before it changed" if changed == "dataset" else ""
    raise StoreError(f"{output} holds {kind} of another {changed}{since}; remove it, or give another --output")


@contextmanager
def claimed(output: Path, identity: Mapping[str, Any]) -> Iterator[None]:
    """Mark a folder as being written, and as finished when the block ends without an error.

    After an interrupted run, the next one writes every file again under the same names, because the names depend on
    `identity` alone.

    Raises:
        StoreError: it cannot be written.
    """
    with os_errors(output):
        write_json(output / MARKER, {**identity, "finished": False})
        yield
        os.sync()  # once for all files: waiting for each would take longer than writing it
        write_json(output / MARKER, {**identity, "finished": True})


def _is_unfinished_marker(name: str) -> bool:
    return name.startswith(f".{MARKER}.") and name.endswith(UNFINISHED)


def _read(marker: Path) -> dict[str, Any]:
    try:
        marked = json.loads(marker.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise StoreError(f"cannot read {marker}: {error}; give --output a new or empty folder") from error
    if not isinstance(marked, dict):
        raise StoreError(f"{marker} is not the marker of an export; give --output a new or empty folder")
    return marked
