"""The folder that an export fills: none of it is anybody else's, and whether it is whole is told by a file in it."""

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
"""Written before anything else and, when all of it is on the disk, once more with `finished` true. Hidden, because
readers of folders of pictures pass over such files."""


def is_finished(output: Path, what: Mapping[str, Any]) -> bool:
    """Whether a folder holds an export already; false if it is to be written, or written again.

    Args:
        output: the folder; it need not exist.
        what: all that the export's files depend on, of JSON's types.

    Raises:
        StoreError: it holds something else, or the export of something else.
    """
    if not check_ownership(output, MARKER, _is_unfinished_marker):
        return False
    marked = _read(output / MARKER)
    finished = bool(marked.pop("finished", False))
    if marked == what:
        return finished
    kind = "an export" if finished else "an unfinished export"
    changed = ", ".join(key for key in what if marked.get(key) != what[key])
    since = ", or of this one before it changed" if changed == "dataset" else ""
    raise StoreError(f"{output} holds {kind} of another {changed}{since}; remove it, or give another --output")


@contextmanager
def claimed(output: Path, what: Mapping[str, Any]) -> Iterator[None]:
    """Mark a folder as being written; when the block ends well, as whole.

    A run that was interrupted is told by its marker. The next one writes every file again, under the same names,
    because these depend on nothing but `what`.

    Raises:
        StoreError: it cannot be written.
    """
    with os_errors(output):
        write_json(output / MARKER, {**what, "finished": False})
        yield
        os.sync()  # all files at once: to wait for each of them would take longer than to write them
        write_json(output / MARKER, {**what, "finished": True})


def _is_unfinished_marker(name: str) -> bool:
    return name.startswith(f".{MARKER}.") and name.endswith(UNFINISHED)


def _read(marker: Path) -> dict[str, Any]:
    try:
        marked = json.loads(marker.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise StoreError(f"cannot read {marker}: {error}; give --output a new or empty folder") from error
    if not isinstance(marked, dict):
        raise StoreError(f"{marker} is not what an export writes; give --output a new or empty folder")
    return marked
