"""A Parquet file to publish, and a digest of the rows of a split."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True, slots=True)
class Shard:
    """A Parquet file. path: in the repository. local: on this machine; None: it was used only to estimate sizes."""

    path: str
    local: Path | None
    size: int
    sha256: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Rows:
    """The rows of a split. ids: the sha256 of their ids in order, each followed by a line break."""

    rows: int
    ids: str

    @classmethod
    def count(cls, ids: Iterator[str]) -> Rows:
        """Count and digest these ids."""
        digest, rows = hashlib.sha256(), 0
        for rows, name in enumerate(ids, start=1):  # noqa: B007 - counts them
            digest.update(f"{name}\n".encode())
        return cls(rows=rows, ids=digest.hexdigest())
