"""Claim a build folder for one build: lock it, and refuse to continue a build of another request."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from builder.pipeline.build_folder import BuildFolder
from builder.pipeline.changes import built_otherwise, changes
from mycanvas.errors import StoreError
from mycanvas.io.files import UNFINISHED, os_errors, write_json
from mycanvas.io.ownership import check_ownership

BUILD_FILES = frozenset(f".build/{name}" for name in ("lock", "candidates", "cutouts", "sources.json", "config.json"))
"""Files that a build may leave before it writes build.json, the file that identifies the folder as a build."""


@contextmanager
def claim(folder: BuildFolder, request: Mapping[str, Any]) -> Iterator[None]:
    """Lock the folder for one build: create it, or resume the build in it.

    Args:
        folder: the folder to lock; it may not exist yet.
        request: everything that the candidates depend on, flat, with JSON types.

    Raises:
        StoreError: the folder holds something else, was built from another request, is in use or cannot be written.
    """
    marker = folder.request_file.relative_to(folder.path).as_posix()
    check_ownership(folder.path, marker, BUILD_FILES.__contains__)
    with os_errors(folder.hidden):
        (folder.hidden / "candidates").mkdir(parents=True, exist_ok=True)
        (folder.hidden / "cutouts").mkdir(exist_ok=True)
        lock = (folder.hidden / "lock").open("w")
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StoreError(f"{folder.path} is in use by another process; wait for it") from None
        _store_request(folder, request)
        for leftover in folder.path.rglob(f".*{UNFINISHED}"):
            leftover.unlink()
        yield


def _store_request(folder: BuildFolder, request: Mapping[str, Any]) -> None:
    """Write the request, or compare it with the stored one if scenes may already depend on that."""
    # Until there is a plan, nothing depends on the request: the configuration may still change.
    planned = folder.plan_file.is_file() or any((folder.hidden / "candidates").glob("*.json"))
    if not (folder.request_file.is_file() and planned):
        write_json(folder.request_file, request)
        return
    found = changes(folder.request(), request)
    if found:
        raise built_otherwise(folder.path, found)
