"""Read and write many objects of a store at a time, and check the names of files that they become here."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from builder.pipeline.own_files import is_own
from mycanvas.io.checked import with_checksum
from mycanvas.io.progress import Progress
from mycanvas.io.store import Store

_STREAMS = 8
"""Objects that are read or written at a time."""

Item = TypeVar("Item")
Result = TypeVar("Result")


def at_once(work: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """The results of some work on each item, in order; several at a time, as most of it is waiting."""
    with ThreadPoolExecutor(_STREAMS) as pool:
        yield from pool.map(work, items)


def upload(
    store: Store, folder: str, files: Mapping[str, Path], what: str, *, by_size: Container[str] = frozenset()
) -> None:
    """Upload files that are named by their content, unless whole objects have these names already.

    Args:
        store: where to.
        folder: of the objects.
        files: by the names of their objects: the sha256, and perhaps a suffix.
        what: they are, for the progress bar.
        by_size: names of objects that are taken for whole if they have the size of the file; the others are read.
    """
    sizes = store.names(folder)
    alike = {name for name, file in files.items() if sizes.get(name) == file.stat().st_size}

    def send(name: str) -> None:
        if not (name in alike and store.holds(f"{folder}/{name}", name.partition(".")[0])):
            store.upload(files[name], f"{folder}/{name}")

    names = [name for name in files if not (name in alike and name in by_size)]
    with Progress(f"uploading {what}", len(names), "file") as progress:
        for _ in at_once(send, names):
            progress.update(1)


def as_bytes(values: Mapping[str, Any]) -> bytes:
    """The content of a JSON object with a checksum, as `parse_checked` reads it."""
    return json.dumps(with_checksum(values), indent=1, sort_keys=True).encode()


def check_files(files: Mapping[str, str]) -> None:
    """Refuse names and sums that are not of a build: they become paths on this machine.

    Raises:
        ValueError: one is not.
    """
    for name, sha256 in files.items():
        if not (is_own(name) and re.fullmatch("[0-9a-f]{64}", sha256, re.ASCII)):
            raise ValueError(f"{name}: {sha256}")
