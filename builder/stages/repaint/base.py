"""Interface of the repainters and the stage's settings."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

from builder.records import Canvas, Rejected, Rgb
from builder.stages.backend import Backend
from mycanvas.io.config_table import Table
from mycanvas.io.layers import PictureLayer


class RepaintConfig(Table):
    """[repaint]: canvas -> finished picture. Each backend has its own settings; there are no common ones."""


class Repainter(Backend, Protocol):
    """Turns pasted objects into a finished picture, without moving them or changing their identity."""

    def repaint(self, canvases: Sequence[Canvas], seed: int) -> Iterable[Rgb | Rejected]:
        """One uint8 [H, W, 3] picture per canvas, in order."""
        ...

    @staticmethod
    def layers(config: Any, canvas: Canvas, picture: Rgb, seed: int) -> tuple[PictureLayer, ...]:
        """Compute the layers of a finished picture; no model is needed.

        An object's layer also has the pixels that objects in front hide. Together, the layers show the picture.

        Args:
            config: an instance of `Config`, with which the picture was made.
            canvas: the one from which the picture was made.
            picture: uint8 [H, W, 3], the stored one.
            seed: the build's.

        Returns:
            Back to front: the background, the shadow if there is one, and the objects.
        """
        ...
