"""Errors of the file system at a chosen path: root may read and write everything, so rights cannot cause them."""

from __future__ import annotations

import builtins
import io
import os
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pyarrow as pa

Operation = str
"""One of "read", "write", "stat", "list", "rename", "make", "delete"."""

_CALLS: tuple[tuple[Any, str, Operation], ...] = (
    (builtins, "open", "open"),
    (io, "open", "open"),
    (os, "open", "open"),
    (pa, "memory_map", "read"),
    (os, "stat", "stat"),
    (os, "lstat", "stat"),
    (os, "listdir", "list"),
    (os, "scandir", "list"),
    (os, "rename", "rename"),
    (os, "replace", "rename"),
    (os, "link", "rename"),
    (os, "mkdir", "make"),
    (os, "unlink", "delete"),
    (os, "remove", "delete"),
    (os, "rmdir", "delete"),
)
"""Functions that take a path, by the module that has them."""


@contextmanager
def room_for_files_of(size: int) -> Iterator[None]:
    """To the program, more is what a full disk is."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@contextmanager
def fault(path: Path, number: int, operation: Operation) -> Iterator[list[Path]]:
    """Let an operation fail for a path with an error of this number; gives the list of its failures."""
    hits: list[Path] = []

    def fail(done: Operation, place: Path) -> None:
        if done == operation and place == path:
            hits.append(place)
            raise OSError(number, os.strerror(number), str(place))

    with watched(fail):
        yield hits


@contextmanager
def watched(watch: Callable[[Operation, Path], None]) -> Iterator[None]:
    """Call `watch` before each operation of this process on a path; it may raise an error in its place."""
    changed = [patch.object(module, name, _wrapped(module, name, kind, watch)) for module, name, kind in _CALLS]
    for each in changed:
        each.start()
    try:
        yield
    finally:
        for each in changed:
            each.stop()


def _wrapped(module: Any, name: str, kind: Operation, watch: Callable[[Operation, Path], None]) -> Callable[..., Any]:
    original: Callable[..., Any] = getattr(module, name)

    @wraps(original)
    def call(*arguments: Any, **options: Any) -> Any:
        paths = arguments[: 2 if kind == "rename" else 1]
        for path in paths:
            if isinstance(path, str | os.PathLike):
                watch(_operation(kind, arguments, options), Path(path).absolute())
        return original(*arguments, **options)

    return call


def _operation(kind: Operation, arguments: tuple[Any, ...], options: dict[str, Any]) -> Operation:
    """Tell reading from writing, by the mode or the flags of an opening."""
    if kind != "open":
        return kind
    mode = arguments[1] if len(arguments) > 1 else options.get("mode", options.get("flags", "r"))
    writes = mode & (os.O_WRONLY | os.O_RDWR) if isinstance(mode, int) else set(mode) & set("wax+")
    return "write" if writes else "read"
