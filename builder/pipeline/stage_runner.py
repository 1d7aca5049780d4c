"""Run stages on batches, and collect their rejections."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

from builder.config import BuildConfig
from builder.pipeline.loaded_backends import with_backend
from builder.records import Rejected
from builder.stages.backend import Backend
from mycanvas.io.config_table import Table
from mycanvas.models.runtime import Runtime

In = TypeVar("In")
Out = TypeVar("Out")
Kind = TypeVar("Kind", bound=Backend)
StageConfig = TypeVar("StageConfig", bound=Table)


class StageRunner:
    """Runs the stages of one worker with their backends, and collects the rejections.

    Args:
        config: of the build.
        runtime: device, precision, memory and threads of the backends.
    """

    def __init__(self, config: BuildConfig, runtime: Runtime) -> None:
        self._config = config
        self._runtime = runtime
        self._rejected: list[Rejected] = []

    def run(
        self,
        name: str,
        registry: Mapping[str, type[Kind]],
        stage: Callable[[Sequence[In], Kind, StageConfig, int], Iterable[Out | Rejected]],
        batch: Sequence[In],
        config: StageConfig,
    ) -> list[Out]:
        """Run a stage on a batch, with the backend that the configuration names.

        Args:
            name: the stage's name.
            registry: the stage's backends, by name.
            stage: the stage's function.
            batch: its inputs.
            config: the stage's table of the configuration.

        Returns:
            The results that were not rejected.
        """
        if not batch:
            return []
        return with_backend(
            name,
            registry[self._config.backend_name(name)],
            self._config.backend_table(name),
            self._runtime,
            lambda backend: self.collect(stage(batch, backend, config, self._config.seed)),
        )

    def collect(self, results: Iterable[Out | Rejected]) -> list[Out]:
        """Collect the rejections among these results; return the others."""
        passed: list[Out] = []
        for result in results:
            if isinstance(result, Rejected):
                self._rejected.append(result)
            else:
                passed.append(result)
        return passed

    def pop_rejected(self) -> list[Rejected]:
        """Return the rejections since the last call, and forget them."""
        rejected, self._rejected = self._rejected, []
        return rejected
