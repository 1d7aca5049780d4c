"""The errors of this project, under the name that the builder's rooms use; they are defined in mycanvas/errors.py."""

from mycanvas.errors import ConfigError, HubError, InputError, MissingExtra, ModelError, MyCanvasError, StoreError

__all__ = ["ConfigError", "HubError", "InputError", "MissingExtra", "ModelError", "MyCanvasError", "StoreError"]
