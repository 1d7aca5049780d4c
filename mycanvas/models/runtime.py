"""How models run on this machine: device, precision, memory, and where their files are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from mycanvas.errors import ModelError
from mycanvas.models.download import is_local


@dataclass(frozen=True, kw_only=True, slots=True)
class Runtime:
    """How a backend runs, never what it makes.

    device, dtype: as `mycanvas.models.pick_device` and `pick_dtype` take them.
    memory: "low" keeps one stage's models in memory at a time.
    threads: processor cores that this worker may keep busy.
    models: the folder or file of each fetched model, by its name in the configuration.
    revisions: of each of them; a backend built from other content of the same folder is not reused.
    replies: a folder that keeps language models' replies; None: they are not kept.
    """

    device: str = "auto"
    dtype: str = "auto"
    memory: Literal["high", "low"] = "high"
    threads: int = 1
    models: Mapping[str, Path] = field(default_factory=dict)
    revisions: Mapping[str, str] = field(default_factory=dict)
    replies: Path | None = None

    def model(self, name: str) -> Path:
        """Return the folder or file of a model.

        Raises:
            ModelError: it was not fetched.
        """
        if name in self.models:
            return self.models[name]
        if is_local(name):
            return Path(name).expanduser()
        raise ModelError(f"{name} was not fetched; run: mycanvas models --download")
