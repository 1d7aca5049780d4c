"""Claim a build folder for one build: lock it, and refuse to continue a build of another request."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from builder.pipeline.build_folder import BuildFolder
from builder.pipeline.changes import built_otherwise, refused
from builder.pipeline.own_files import unfinished_files
from mycanvas.io.checked import read_checked_or_none, write_checked


@contextmanager
def claim(folder: BuildFolder, request: Mapping[str, Any]) -> Iterator[None]:
    """Lock the folder for one build: create it, or resume the build in it.

    Args:
        folder: the folder to lock; it may not exist yet.
        request: everything that the candidates depend on, flat, with JSON types.

    Raises:
        StoreError: the folder holds something else, was built from another request, is in use or cannot be written.
    """
    folder.check_ownership()
    with folder.locked():
        _store_request(folder, request)
        for leftover in unfinished_files(folder.path):
            leftover.unlink()
        yield


def _store_request(folder: BuildFolder, request: Mapping[str, Any]) -> None:
    """Write the request; if scenes may depend on the stored one, refuse another one that does not only add to it."""
    folder.check_version()
    if not (folder.is_planned() or folder.has_markers()):  # until then, the configuration may still change
        write_checked(folder.request_file, request)
        return
    before = folder.request()
    if found := refused(before, request):
        raise built_otherwise(folder.path, found)
    if read_checked_or_none(folder.request_file, dict[str, Any]) != before:  # a step was appended just before a kill
        write_checked(folder.request_file, before)
