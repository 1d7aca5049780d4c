"""Interface of the scorers and the stage's settings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from builder.records import Captioned, Rejected
from builder.stages.backend import Backend
from mycanvas.io.config_table import Table


class ScoreConfig(Table):
    """[score]: scores by which select filters scenes. Each backend has its own settings; there are no common ones."""


class Scorer(Backend, Protocol):
    """Measures finished scenes."""

    def score(self, batch: Sequence[Captioned], seed: int) -> Iterable[Mapping[str, float] | Rejected]:
        """The scores of each scene, by the names of `mycanvas.schema.SCORES`, in order; a rejection if it has none."""
        ...
