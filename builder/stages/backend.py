"""The declarations of every backend: its table of build.toml, the models that it requires, how it is loaded."""

from __future__ import annotations

from typing import Any, ClassVar, Protocol, Self

from mycanvas.io.config_table import Table
from mycanvas.models.required import RequiredModel
from mycanvas.models.runtime import Runtime


class Backend(Protocol):
    """One way to do a stage's work. The defaults are those of a backend without settings and without models.

    Each stage's Protocol adds the one method that does the work; a backend derives from it.

    Config: its table, [stage.backend] in build.toml. A subclass of Table; empty: the backend has no table.
    learned: whether it runs a model. Learned backends are given whole shards, and take turns where memory is low.
    """

    Config: ClassVar[type[Table]] = Table
    learned: ClassVar[bool] = False

    @staticmethod
    def required_models(config: Any) -> tuple[RequiredModel, ...]:  # noqa: ARG004
        """List the models that must be on this machine; config: an instance of `Config`."""
        return ()

    @staticmethod
    def check(config: Any) -> None:  # noqa: ARG004
        """Find out before any work whether the backend can run.

        Args:
            config: an instance of `Config`.

        Raises:
            MyCanvasError: a package is not installed, or a server does not answer.
        """
        return

    @classmethod
    def load(cls, config: Any, runtime: Runtime) -> Self:  # noqa: ARG003
        """Make the backend, with its models in memory.

        Args:
            config: an instance of `Config`.
            runtime: how it runs.

        Raises:
            MissingExtra: a package is not installed.
            ModelError: a model cannot be loaded.
        """
        return cls()
