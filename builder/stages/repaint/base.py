"""Interface of the repainters and the stage's settings."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from builder.records import Canvas, Rejected, Rgb
from builder.stages.backend import Backend
from mycanvas.io.config_table import Table


class RepaintConfig(Table):
    """[repaint]: canvas -> finished picture. Each backend has its own settings; there are no common ones."""


class Repainter(Backend, Protocol):
    """Turns pasted objects into a finished picture, without moving them or changing their identity."""

    def repaint(self, canvases: Sequence[Canvas], seed: int) -> Iterable[Rgb | Rejected]:
        """One uint8 [H, W, 3] picture per canvas, in order."""
        ...
