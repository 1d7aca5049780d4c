"""Layers of a picture, back to front, and the picture that they show together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mycanvas.io.images import Rgb


@dataclass(frozen=True, kw_only=True, slots=True)
class PictureLayer:
    """One layer of a picture.

    kind: a shadow is black, and its alpha is how much light it takes away.
    index: the object's index in the scene's boxes; None: not an object.
    x, y: its top-left corner in the picture.
    rgba: uint8 [h, w, 4], straight alpha; no pixel is outside the picture.
    """

    kind: Literal["background", "shadow", "object"]
    index: int | None = None
    x: int = 0
    y: int = 0
    rgba: NDArray[np.uint8]

    def whole(self, height: int, width: int) -> NDArray[np.uint8]:
        """The layer at the picture's size, uint8 [H, W, 4], transparent around it."""
        if self.rgba.shape[:2] == (height, width):
            return self.rgba
        canvas = np.zeros((height, width, 4), np.uint8)
        rows, columns = self.rgba.shape[:2]
        canvas[self.y : self.y + rows, self.x : self.x + columns] = self.rgba
        return canvas


def flatten(layers: Sequence[PictureLayer]) -> Rgb:
    """Blend layers by straight alpha; the first one has the picture's size.

    Args:
        layers: back to front.

    Returns:
        uint8 [H, W, 3]; black where no layer is.
    """
    height, width = layers[0].rgba.shape[:2]
    picture = np.zeros((height, width, 3), np.float32)
    for layer in layers:
        rows, columns = layer.rgba.shape[:2]
        region = picture[layer.y : layer.y + rows, layer.x : layer.x + columns]
        alpha = layer.rgba[..., 3:].astype(np.float32) / np.float32(255)
        region += (layer.rgba[..., :3] - region) * alpha
    return np.rint(picture).astype(np.uint8)
