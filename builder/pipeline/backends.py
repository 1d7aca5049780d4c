"""Backends live as long as their worker: built when a stage first needs them, from configuration and surroundings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol, TypeVar

from mycanvas.errors import ModelError
from mycanvas.models import is_local, limit_threads, release_memory

CLASSIC = {"segment": "tricut", "layout": "solver", "repaint": "blend", "caption": "template", "score": "classical"}
"""The backend of each stage that runs no model; any other has a table of its own name within the stage's."""


class StageConfig(Protocol):
    """A stage's table of the configuration."""

    @property
    def backend(self) -> str:
        """Which backend of the stage's registry."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Runtime:
    """What a backend finds around it: how it is to run, never what it is to make.

    device, dtype: as `mycanvas.models.pick_device` and `pick_dtype` take them.
    memory: "low" keeps one stage's models in memory at a time.
    threads: processor cores that this worker may keep busy.
    models: the folder or file of each fetched model, by the name that the configuration gives it.
    revisions: of each of them; a backend that was built from another content of the same folder is not used on.
    replies: a folder that keeps language models' replies; None: they are not kept.
    """

    device: str = "auto"
    dtype: str = "auto"
    memory: Literal["high", "low"] = "high"
    threads: int = 1
    models: Mapping[str, Path] = field(default_factory=dict)
    revisions: Mapping[str, str] = field(default_factory=dict)
    replies: Path | None = None

    def model(self, name: str) -> Path:
        """The folder or file of a model.

        Raises:
            ModelError: it was not fetched.
        """
        if name in self.models:
            return self.models[name]
        if is_local(name):
            return Path(name).expanduser()
        raise ModelError(f"{name} was not fetched; run: mycanvas models --download")


Config = TypeVar("Config", bound=StageConfig)
Backend = TypeVar("Backend")
Result = TypeVar("Result")

_alive: dict[str, tuple[str, object]] = {}
"""The last backend of each stage, by the name of the stage's table, with what it was built from."""


def with_backend(
    registry: Mapping[str, Callable[[Config, Runtime], Backend]],
    config: Config,
    runtime: Runtime,
    work: Callable[[Backend], Result],
) -> Result:
    """What `work` makes with the backend that `config` names: the one that this worker has, else a new one.

    `work` must be done with the backend when it returns: with low memory a new one takes the place of all others, and
    their models are let go of.
    """
    return work(_backend(registry, config, runtime))


def _backend(registry: Mapping[str, Callable[[Config, Runtime], Backend]], config: Config, runtime: Runtime) -> Backend:
    stage, built_from = type(config).__name__, repr((config, runtime))
    if stage not in _alive or _alive[stage][0] != built_from:
        large = config.backend not in CLASSIC.values()
        for other in [*_alive] if large and runtime.memory == "low" else [stage]:
            _alive.pop(other, None)  # its memory is expected for the new one
        release_memory()
        _alive[stage] = (built_from, registry[config.backend](config, runtime))
        limit_threads(runtime.threads)
    backend: Backend = _alive[stage][1]  # type: ignore[assignment]  # what `registry` built from the same configuration
    return backend
