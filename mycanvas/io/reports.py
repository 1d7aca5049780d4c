"""Files of results, and the guard that keeps them from replacing other files."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from mycanvas import __version__
from mycanvas.errors import StoreError
from mycanvas.io.files import os_errors, write_text

MARKS = (b'{\n "mycanvas": ', b"<title>MyCanvas scores", b"<title>How well captions and pictures are aligned")
"""Every file written to a report's folder has one of these in its first MARK_BYTES."""
MARK_BYTES = 1024


def check_output(folder: Path, names: Iterable[str]) -> None:
    """Check, before any work, that files can be written to a folder and replace only earlier reports.

    Args:
        folder: of the report; it need not exist.
        names: of the files that will be written to it.

    Raises:
        StoreError: the folder is not writable, or has a file of such a name that is not a report of MyCanvas.
    """
    with os_errors(folder):
        for path in (folder / name for name in names):
            if path.exists() and not _is_report(path):
                raise StoreError(f"{path} exists and is not a report of mycanvas; choose another --output")
        existing = next(place for place in (folder, *folder.absolute().parents) if place.exists())
        with tempfile.TemporaryFile(dir=existing):
            pass


def write_numbers(path: Path, values: Mapping[str, Any]) -> Path:
    """Write a JSON file that begins with the version of MyCanvas; returns its path."""
    write_text(path, json.dumps({"mycanvas": __version__, **values}, indent=1, ensure_ascii=False) + "\n")
    return path


def write_prompts(path: Path, lines: str) -> None:
    """Write a prompts file; never replace other prompts, as images may already have been generated from them.

    Raises:
        StoreError: the file exists with other content, or cannot be written.
    """
    with os_errors(path):
        if path.exists() and (not path.is_file() or path.read_bytes() != lines.encode()):
            if path.is_dir():
                raise StoreError(f"{path} is a folder; expected the name of a file")
            raise StoreError(f"{path} exists with other content; delete it, or choose another --output")
    write_text(path, lines)


def _is_report(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        beginning = file.read(MARK_BYTES)
    return any(mark in beginning for mark in MARKS)
