"""The context of a build: configuration, folder, engine, runtime."""

from __future__ import annotations

from dataclasses import dataclass

from builder.config import BuildConfig
from builder.engines.base import Engine
from builder.pipeline.build_folder import BuildFolder
from mycanvas.models.runtime import Runtime


@dataclass(frozen=True, kw_only=True, slots=True)
class BuildContext:
    """One build in progress.

    config: the configuration. folder: the output folder, claimed. engine: the workers, started.
    runtime: how the backends run, with the models that were fetched.
    """

    config: BuildConfig
    folder: BuildFolder
    engine: Engine
    runtime: Runtime
