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
    """How a backend runs; none of this changes its results beyond rounding.

    device, dtype: see `mycanvas.models.pick_device` and `pick_dtype`.
    memory: "low" keeps one stage's models in memory at a time.
    threads: CPU cores that this worker may use.
    models: the folder or file of each fetched model, by its name in the configuration.
    revisions: the revision of each model; a backend is not reused when the content of its folder changes.
    replies: the folder that caches replies of language models; None: no cache.
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
