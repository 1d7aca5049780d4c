"""The errors that this project raises on purpose."""


class MyCanvasError(Exception):
    """Everything this package raises on purpose.

    MyCanvasError
    ├── ConfigError        what was asked for cannot be meant
    ├── InputError         a photo, folder or file cannot be used
    ├── MissingExtra       an optional package is not installed
    ├── ModelError         a model, or a server that runs one, failed
    └── StoreError         a build folder cannot be written, or is not what its plan says
    """


class ConfigError(MyCanvasError):
    """What was asked for cannot be meant."""


class InputError(MyCanvasError):
    """A photo, folder or file cannot be used."""


class MissingExtra(MyCanvasError):
    """An optional package is not installed; the message names the extra that brings it."""

    def __init__(self, package: str, *, extra: str) -> None:
        super().__init__(f"{package} is not installed; run: pip install 'mycanvas[{extra}]'")


class ModelError(MyCanvasError):
    """A model, or a server that runs one, failed."""


class StoreError(MyCanvasError):
    """A build folder cannot be written, or is not what its plan says."""
