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
def claim(folder: BuildFolder, request: Mapping[str, Any], *, wait: bool = False) -> Iterator[None]:
    """Lock the folder for one build: create it, or resume the build in it.

    Args:
        folder: the folder to lock; it may not exist yet.
        request: everything that the candidates depend on, flat, with JSON types.
        wait: for other processes that use the folder.

    Raises:
        InUseError: the folder is in use.
        StoreError: it holds something else, was built from another request or cannot be written.
    """
    folder.check_ownership()
    with folder.locked(wait=wait):
        _store_request(folder, request)
        _remove_unfinished(folder)
        yield
        _remove_unfinished(folder)  # of workers that died, whose tasks others did


@contextmanager
def share(folder: BuildFolder, request: Mapping[str, Any]) -> Iterator[bool]:
    """Lock the folder together with other parts of its build, after other processes; gives whether there is a plan.

    Raises:
        StoreError: the folder was built from another request, or cannot be written.
    """
    folder.check_ownership()
    with folder.locked(shared=True, wait=True):
        folder.refresh()
        folder.check_version()
        planned = folder.request_file.is_file() and folder.is_planned()
        if planned and (found := refused(folder.request(), request)):
            raise built_otherwise(folder.place, found)
        yield planned


def _remove_unfinished(folder: BuildFolder) -> None:
    for leftover in unfinished_files(folder.path):
        leftover.unlink(missing_ok=True)


def _store_request(folder: BuildFolder, request: Mapping[str, Any]) -> None:
    """Write the request; if scenes may depend on the stored one, refuse another one that does not only add to it."""
    folder.check_version()
    if not (folder.is_planned() or folder.has_markers()):  # until then, the configuration may still change
        write_checked(folder.request_file, request)
        return
    before = folder.request()
    if found := refused(before, request):
        raise built_otherwise(folder.place, found)
    if read_checked_or_none(folder.request_file, dict[str, Any]) != before:  # a step was appended just before a kill
        write_checked(folder.request_file, before)
