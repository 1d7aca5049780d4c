"""Load each backend once per worker: when a stage first needs it, and again when its settings change."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from builder.stages.backend import Backend
from mycanvas.io.config_table import Table
from mycanvas.models.device import limit_threads, release_memory
from mycanvas.models.runtime import Runtime

Kind = TypeVar("Kind", bound=Backend)
Result = TypeVar("Result")

_loaded: dict[str, tuple[str, Backend]] = {}
"""Stage name -> the settings from which its backend was loaded, and the backend."""


def with_backend(
    stage: str, kind: type[Kind], table: Table, runtime: Runtime, work: Callable[[Kind], Result]
) -> Result:
    """Call `work` with a stage's backend: the one already loaded in this worker, or a new one.

    `work` must not keep the backend: with low memory, loading another backend with a model releases it.

    Args:
        stage: the stage's name; a worker has one backend per stage.
        kind: the backend's class.
        table: the backend's settings.
        runtime: device, precision, memory and threads.
        work: the function to call.

    Returns:
        The result of `work`.
    """
    loaded_from = repr((kind, table, runtime))
    if stage not in _loaded or _loaded[stage][0] != loaded_from:
        replaced = [*_loaded] if kind.learned and runtime.memory == "low" else [stage] if stage in _loaded else []
        had_model = any(_loaded[other][1].learned for other in replaced)
        for other in replaced:
            del _loaded[other]  # frees memory for the new one
        if had_model:  # collecting garbage takes longer than a small build makes a scene
            release_memory()
        _loaded[stage] = (loaded_from, kind.load(table, runtime))
        limit_threads(runtime.threads)
    backend = _loaded[stage][1]
    assert isinstance(backend, kind)  # noqa: S101 - it was loaded by this class
    return work(backend)
