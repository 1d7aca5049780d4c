"""What `mycanvas evaluate` writes: that it can be is known before anything is measured; nobody's file is replaced."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from mycanvas import __version__
from mycanvas.errors import StoreError
from mycanvas.io.files import os_errors, write_text

OURS = (b'{\n "mycanvas": ', b"<title>MyCanvas scores", b"<title>How well captions and pictures are aligned")
"""One of these stands near the beginning of every file that is written to a report's folder."""
BEGINNING = 1024
"""Bytes of a file in which it does."""


def check_output(folder: Path, names: Iterable[str]) -> None:
    """Refuse a folder that these files cannot be written to.

    Raises:
        StoreError: it cannot be written to, or holds a file of such a name that is somebody else's.
    """
    with os_errors(folder):
        for path in (folder / name for name in names):
            if path.exists() and not _is_ours(path):
                raise StoreError(
                    f"{path} was not written by this command, which leaves it as it is; give another --output"
                )
        above = next(place for place in (folder, *folder.absolute().parents) if place.exists())
        with tempfile.TemporaryFile(dir=above):
            pass


def write_numbers(path: Path, values: Mapping[str, Any]) -> Path:
    """Write a JSON file that says what made it; returns its path."""
    write_text(path, json.dumps({"mycanvas": __version__, **values}, indent=1, ensure_ascii=False) + "\n")
    return path


def write_prompts(path: Path, lines: str) -> None:
    """Write prompts where there is nothing yet, as pictures may have been made from what there is.

    Raises:
        StoreError: the file is there and holds something else, or it cannot be written.
    """
    with os_errors(path):
        if path.exists() and (not path.is_file() or path.read_bytes() != lines.encode()):
            raise StoreError(f"{path} is there and holds something else; delete it, or give another --write-prompts")
    write_text(path, lines)


def _is_ours(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        beginning = file.read(BEGINNING)
    return any(mark in beginning for mark in OURS)
