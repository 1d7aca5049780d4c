"""Keys of the user's cache: a result is found again only if nothing has changed on which it depends."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from importlib import metadata, resources
from pathlib import Path

from builder.config import BuildConfig
from mycanvas import __version__
from mycanvas.models.runtime import Runtime

LIBRARIES = ("numpy", "onnxruntime", "opencv-python-headless", "pillow", "pymatting", "scipy")
"""Packages whose versions may change a result."""


def settings_key(config: BuildConfig, runtime: Runtime) -> str:
    """Text of all that a photo's matte depends on: the segmenter, its settings, models, code and libraries."""
    backend, name = config.backend("segment"), config.backend_name("segment")
    table = config.backend_table("segment")
    own = {key: value for key, value in config.identity().items() if key.startswith(f"segment.{name}.")}
    models = [runtime.revisions[model.name] for model in backend.required_models(table)]
    device = [runtime.device, runtime.dtype] if backend.learned else []  # they change the rounding
    parts = [name, own, dict(backend.identity(table)), models, device, _revision("builder.stages.segment")]
    return json.dumps(parts, sort_keys=True)


def prepared_key(*parts: str) -> str:
    """The key of files that depend on these texts and on the code of this program."""
    return hashlib.sha256(json.dumps([*parts, _revision("builder", "mycanvas")]).encode()).hexdigest()


@cache
def _revision(*packages: str) -> str:
    """A digest of the code of packages, and of the versions of the libraries that they call."""
    code = {
        f"{package}/{file.relative_to(root)}": hashlib.sha256(file.read_bytes()).hexdigest()
        for package in packages
        for root in [Path(str(resources.files(package)))]
        for file in root.rglob("*.py")
    }
    versions = {name: _version(name) for name in LIBRARIES}
    return hashlib.sha256(json.dumps([__version__, code, versions], sort_keys=True).encode()).hexdigest()


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
