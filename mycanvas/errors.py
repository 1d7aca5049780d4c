"""The errors that this project raises on purpose."""

from __future__ import annotations

from collections.abc import Callable


class MyCanvasError(Exception):
    """Everything this package raises on purpose.

    MyCanvasError
    ├── ConfigError        invalid configuration or arguments
    ├── HubError           the Hugging Face Hub refused, or cannot be reached
    ├── InputError         a photo, folder or file cannot be used
    ├── MissingExtra       an optional package is not installed
    ├── ModelError         a model, or a server that runs one, failed
    └── StoreError         a build folder cannot be written, or is not what its plan says
        └── InUseError     another process uses the folder
    """


class ConfigError(MyCanvasError):
    """Invalid configuration or arguments."""


class HubError(MyCanvasError):
    """The Hugging Face Hub refused, or cannot be reached."""


class InputError(MyCanvasError):
    """A photo, folder or file cannot be used."""


class MissingExtra(MyCanvasError):
    """An optional package is not installed; the message names the extra that installs it."""

    def __init__(self, package: str, *, extra: str) -> None:
        super().__init__(f"{package} is not installed; run: pip install 'mycanvas[{extra}]'")
        self._arguments = (package, extra)

    def __reduce__(self) -> tuple[Callable[[str, str], MissingExtra], tuple[str, str]]:
        """Support pickling: worker processes send their errors to the process that started them."""
        return _missing_extra, self._arguments


class ModelError(MyCanvasError):
    """A model, or a server that runs one, failed."""


class StoreError(MyCanvasError):
    """A build folder cannot be written, or is not what its plan says."""


class InUseError(StoreError):
    """Another process uses the folder."""


def _missing_extra(package: str, extra: str) -> MissingExtra:
    return MissingExtra(package, extra=extra)
