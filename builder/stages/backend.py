"""Interface of all backends: their table in build.toml, the models that they require, and how they are loaded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Protocol, Self

from mycanvas.io.config_table import Table
from mycanvas.models.required import RequiredModel
from mycanvas.models.runtime import Runtime


class Backend(Protocol):
    """One implementation of a stage. The defaults suit a backend without settings and without models.

    Each stage's Protocol adds the one method that does the work; backends are subclasses of that Protocol.

    Config: the class of its table, [stage.backend] in build.toml. Without fields, the backend has no table.
    learned: whether it runs a model. Learned backends get whole shards; with low memory only one is loaded at a time.
    """

    Config: ClassVar[type[Table]] = Table
    learned: ClassVar[bool] = False

    @staticmethod
    def required_models(config: Any) -> tuple[RequiredModel, ...]:  # noqa: ARG004
        """List the models that must be on this machine; config: an instance of `Config`."""
        return ()

    @staticmethod
    def identity(config: Any) -> Mapping[str, str]:  # noqa: ARG004
        """Name what its results depend on beside its settings, such as digests of files; config: a `Config`."""
        return {}

    @staticmethod
    def implied(config: Any) -> Mapping[str, Any]:  # noqa: ARG004
        """The values of settings that are not given and follow from others, by their keys; config: a `Config`."""
        return {}

    @staticmethod
    def served_model(config: Any) -> str | None:  # noqa: ARG004
        """The name of the model that a server runs for it; None without a server; config: a `Config`."""
        return None

    @staticmethod
    def check(config: Any) -> None:  # noqa: ARG004
        """Check that the backend can run, before any work is done.

        Args:
            config: an instance of `Config`.

        Raises:
            MyCanvasError: a package is not installed, or a server does not answer.
        """
        return

    @classmethod
    def load(cls, config: Any, runtime: Runtime) -> Self:  # noqa: ARG003
        """Create the backend and load its models.

        Args:
            config: an instance of `Config`.
            runtime: device, precision, memory and threads.

        Raises:
            MissingExtra: a package is not installed.
            ModelError: a model cannot be loaded.
        """
        return cls()
