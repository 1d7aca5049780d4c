"""Files of a build that are written whole or not at all, and sums to tell that they still are."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa

from builder.errors import StoreError
from mycanvas.files import UNFINISHED, atomic, sync_folder, told, write_bytes, write_json, write_text

__all__ = [
    "UNFINISHED",
    "atomic",
    "read_json",
    "sha256_of",
    "stored",
    "sync_folder",
    "told",
    "write_bytes",
    "write_json",
    "write_stream",
    "write_text",
]


def write_stream(path: Path, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> None:
    """An Arrow IPC stream, written whole or not at all."""
    with atomic(path) as file, pa.ipc.new_stream(file, schema) as writer:
        for batch in batches:
            writer.write_batch(batch)


def read_json(path: Path) -> Any:
    """A JSON file of ours.

    Raises:
        StoreError: it is missing or damaged.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise StoreError(f"cannot read {path}: {error}; run the same `mycanvas build` again") from error


def stored(path: Path) -> Any | None:
    """The same, but None where it is missing or damaged: what it is about is then made again."""
    try:
        return read_json(path)
    except StoreError:
        return None


def sha256_of(path: Path) -> str:
    """The sha256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
