"""Backends live as long as their worker: loaded when a stage first needs them, and again when their settings change."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from builder.stages.backend import Backend
from mycanvas.io.config_table import Table
from mycanvas.models.device import limit_threads, release_memory
from mycanvas.models.runtime import Runtime

Kind = TypeVar("Kind", bound=Backend)
Result = TypeVar("Result")

_alive: dict[str, tuple[str, Backend]] = {}
"""The last backend of each stage, by the stage's name, with what it was loaded from."""


def with_backend(
    stage: str, kind: type[Kind], table: Table, runtime: Runtime, work: Callable[[Kind], Result]
) -> Result:
    """Do work with a backend: the one that this worker has, or a new one.

    `work` must be done with the backend when it returns: with low memory a new one replaces all others, and their
    models are released.

    Args:
        stage: its name; a worker has one backend per stage.
        kind: the backend's class.
        table: its settings.
        runtime: how it runs.
        work: called with the backend.
    """
    return work(_backend(stage, kind, table, runtime))


def _backend(stage: str, kind: type[Kind], table: Table, runtime: Runtime) -> Kind:
    loaded_from = repr((kind, table, runtime))
    if stage not in _alive or _alive[stage][0] != loaded_from:
        for other in [*_alive] if kind.learned and runtime.memory == "low" else [stage]:
            _alive.pop(other, None)  # frees its memory for the new one
        release_memory()
        _alive[stage] = (loaded_from, kind.load(table, runtime))
        limit_threads(runtime.threads)
    backend = _alive[stage][1]
    assert isinstance(backend, kind)  # noqa: S101 - it was loaded by this class
    return backend
