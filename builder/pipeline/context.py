"""The context of a build: its configuration, folder, engine and runtime."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from builder.config import BuildConfig
from builder.engines.base import Engine
from builder.engines.local import LocalEngine
from builder.pipeline.build_folder import BuildFolder
from builder.pipeline.required_models import fetch_required_models, required_models
from builder.pipeline.shard_task import MapShards
from mycanvas.models.device import cores
from mycanvas.models.runtime import Runtime


@dataclass(frozen=True, slots=True)
class Part:
    """The share of one process in the shards of a plan: those whose number, modulo `count`, is `index`."""

    index: int = 0
    count: int = 1

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"


WHOLE = Part()
"""All shards."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BuildContext:
    """One build in progress.

    config: the configuration. folder: the output folder, claimed. engine: the started workers.
    runtime: device, precision, memory and threads of the backends, and the paths of the models.
    request: everything that the scenes depend on. part: the scenes that this process makes; the default is all.
    map_shards: makes shards; None: the engine, as it does all other work.
    """

    config: BuildConfig
    folder: BuildFolder
    engine: Engine
    runtime: Runtime
    request: Mapping[str, Any]
    part: Part = WHOLE
    map_shards: MapShards | None = None

    def has_language_model(self) -> bool:
        """Whether this machine runs the language model of the layouts, in place of a server."""
        return bool(required_models(self.config, ["layout"]))

    def alone(self) -> BuildContext:
        """The same build with this process as its only worker, on all cores.

        It runs the language model: each worker would load its own copy, and log its progress only at the end of a task.
        """
        return replace(self, engine=LocalEngine(1), runtime=replace(self.runtime, threads=cores()))


def prepare_runtime(config: BuildConfig, folder: BuildFolder, stages: Sequence[str], workers: int) -> Runtime:
    """Find the models that some stages require, and share this machine's cores among workers.

    Raises:
        ModelError: a required model is not available.
    """
    models = fetch_required_models(config, stages)
    return Runtime(
        device=config.device,
        dtype=config.dtype,
        memory=config.memory,
        threads=max(1, cores() // workers) if config.engine == "local" else 1,  # Ray gives each worker one core
        models={name: model.path for name, model in models.items()},
        revisions={name: model.revision for name, model in models.items()},
        replies=folder.replies,
    )
