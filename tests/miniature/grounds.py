"""Grounds that toys stand on: the demo's tiles in perspective, with a wall behind them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from builder.demo.grounds import GROUNDS, TILE, rgb, tile_of
from builder.seeds import rng_for
from mycanvas.io.images import Rgb

SEEN: Mapping[str, str] = {
    "grass": "on the grass",
    "oak": "on a wooden floor",
    "linen": "on the linen",
    "slate": "on a stone",
    "rose": "on a pink table",
    "tiles": "on the tiles",
}
"""Grounds of photos and scenes, and their phrases."""
UNSEEN: Mapping[str, str] = {
    "sand": "on the sand",
    "gingham": "on a checked cloth",
    "blue": "on a blue table",
    "felt": "on a green carpet",
}
"""Grounds of the pictures that are generated; pretraining knows them, but no scene and no photo of a thing has them."""
PHRASES = {**SEEN, **UNSEEN}
VARIANTS = 16
"""Pictures of each ground in pretraining."""
SMALL = 112
"""Width and height of these pictures."""
TEXTURE = 0.35
"""Contrast of a ground, of the demo's. With all of it, the base model learns textures long before it learns toys."""


@lru_cache(maxsize=512)
def ground(name: str, variant: int, size: int = SMALL) -> tuple[Rgb, float]:
    """A picture of a ground, uint8 [size, size, 3], and the row of its horizon as a fraction of its height."""
    rng = rng_for(0, f"{name}/{variant}", "miniature ground")
    horizon = float(rng.uniform(0.25, 0.45))
    fine = 3 * size if size < 256 else size
    y, x = (np.mgrid[:fine, :fine].astype(np.float32) + 0.5) / fine
    depth = 0.5 / np.maximum(y - horizon, 0.02)
    turn = float(rng.uniform(-0.5, 0.5))
    across, along = (x - 0.5) * depth, depth
    shift = rng.uniform(0, TILE, 2).astype(np.float32)
    scale = TILE / 1.6
    u = (np.cos(turn) * across - np.sin(turn) * along) * scale + shift[0]
    v = (np.sin(turn) * across + np.cos(turn) * along) * scale + shift[1]
    places = u.astype(np.float32), v.astype(np.float32)
    tile = tile_of(name)
    plain = tile.mean((0, 1))
    floor = cv2.remap(plain + TEXTURE * (tile - plain), *places, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
    light = np.float32(rng.uniform(0.85, 1.1))
    picture = np.where((y > horizon)[..., None], floor, _wall(name, y)) * light
    shown = np.clip(picture, 0, 1) ** np.float32(1 / 2.2) * 255
    if fine != size:
        shown = cv2.resize(shown, (size, size), interpolation=cv2.INTER_AREA)
    return np.round(shown).astype(np.uint8), horizon


def _wall(name: str, y: NDArray[np.float32]) -> NDArray[np.float32]:
    low, high = rgb(GROUNDS[name].wall), rgb(GROUNDS[name].glow)
    return low + (high - low) * np.clip(0.9 - 1.5 * y, 0, 1)[..., None]
