"""Interface of the scorers and the stage's settings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from builder.records import Captioned, Rejected
from builder.stages.backend import Backend
from mycanvas.io.config_table import Table


class ScoreConfig(Table):
    """[score]: measures that select judges a scene by. All settings are the backends' own."""


class Scorer(Backend, Protocol):
    """Measures finished scenes."""

    def score(self, batch: Sequence[Captioned], seed: int) -> Iterable[Mapping[str, float] | Rejected]:
        """The scores of each scene, by the names of `mycanvas.schema.SCORES`, in order; or why it cannot be judged."""
        ...
