"""Claim a build folder for one build: lock it, and refuse to continue a build of another request."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from builder.config.schema import GATE_KEYS
from builder.pipeline.build_folder import BuildFolder
from builder.pipeline.changes import built_otherwise, changes
from builder.pipeline.own_files import unfinished_files
from mycanvas.errors import StoreError
from mycanvas.io.checked import write_checked


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
        planned = folder.request_file.is_file() and folder.plan_file.is_file()
        if planned and (found := changes(folder.request(), request)):
            raise built_otherwise(folder.place, found)
        yield planned


def _remove_unfinished(folder: BuildFolder) -> None:
    for leftover in unfinished_files(folder.path):
        leftover.unlink(missing_ok=True)


def _store_request(folder: BuildFolder, request: Mapping[str, Any]) -> None:
    """Write the request; if scenes may already depend on the stored one, compare the two instead."""
    # Until there is a plan, nothing depends on the request: the configuration may still change.
    planned = folder.plan_file.is_file() or folder.has_markers()
    if not (folder.request_file.is_file() and planned) or _is_lost(folder, request):
        write_checked(folder.request_file, request)
        return
    found = changes(_without_decisions(folder.request()), request)
    if found:
        raise built_otherwise(folder.place, found)


def _without_decisions(request: Mapping[str, Any]) -> dict[str, Any]:
    """A request without decisions about cut-outs and the gate, which earlier builds recorded in it."""
    return {
        name: value
        for name, value in request.items()
        if not (name in GATE_KEYS or name.startswith(("mask ", "choice ")))
    }


def _is_lost(folder: BuildFolder, request: Mapping[str, Any]) -> bool:
    """Whether the stored request is damaged and is known, by the plan, to equal this one."""
    if not folder.is_planned_for(request):
        return False
    try:
        folder.request()
    except StoreError:
        return True
    return False
