"""The context of a build: its configuration, folder, engine and runtime."""

from __future__ import annotations

from dataclasses import dataclass

from builder.config import BuildConfig
from builder.engines.base import Engine
from builder.pipeline.build_folder import BuildFolder
from mycanvas.models.runtime import Runtime


@dataclass(frozen=True, kw_only=True, slots=True)
class BuildContext:
    """One build in progress.

    config: the configuration. folder: the output folder, claimed. engine: the started workers.
    runtime: device, precision, memory and threads of the backends, and the paths of the models.
    """

    config: BuildConfig
    folder: BuildFolder
    engine: Engine
    runtime: Runtime
