"""Surfaces that toys stand on, as seamless tiles in linear light, and the colours of the backdrops behind them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from builder.demo.toy import linear
from builder.seeds import rng_for

TILE = 768
"""Width and height of a tile in pixels."""

Field = NDArray[np.float32]
Tile = NDArray[np.float32]
"""Linear light, float32 [TILE, TILE, 3]."""
Draw = Callable[[np.random.Generator], Tile]
"""Draws a tile."""


@dataclass(frozen=True, slots=True)
class Ground:
    """A surface and the backdrop behind it.

    draw: draws the surface's tile. wall, glow: the backdrop's colours at the bottom and at the top.
    outdoors: the backdrop is trees and sky instead of a wall.
    """

    draw: Draw
    wall: str
    glow: str
    outdoors: bool = False


@lru_cache(maxsize=16)
def tile_of(name: str) -> Tile:
    """The tile of the ground with this name; the same bytes each time."""
    return np.asarray(np.clip(GROUNDS[name].draw(rng_for(0, name, "toys")), 0, 1), np.float32)


def rgb(text: str) -> Field:
    """Linear light [3] of a colour given as six hexadecimal digits."""
    return linear(text)[:, 0]


def _noise(rng: np.random.Generator, rows: int, columns: int) -> Field:
    """Smooth seamless noise of about unit variance: `rows` features down and `columns` features across the tile."""
    lattice = rng.standard_normal((rows, columns)).astype(np.float32)
    y = (np.arange(TILE, dtype=np.float32) * rows / TILE)[:, None].repeat(TILE, 1)
    x = (np.arange(TILE, dtype=np.float32) * columns / TILE)[None].repeat(TILE, 0)
    return np.asarray(cv2.remap(lattice, x, y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_WRAP), np.float32)


def _cloudy(rng: np.random.Generator, lowest: int = 4, octaves: int = 6) -> Field:
    """Fractal noise: each octave has half the feature size and half the weight of the one before."""
    return np.asarray(sum(0.5**i * _noise(rng, lowest * 2**i, lowest * 2**i) for i in range(octaves)), np.float32)


def _coordinates() -> tuple[Field, Field]:
    y, x = np.mgrid[:TILE, :TILE].astype(np.float32) / TILE
    return x, y


def planks(colour: str, dark: str) -> Draw:
    """Parallel boards with the grain along their length."""

    def draw(rng: np.random.Generator) -> Tile:
        x, y = _coordinates()
        boards = 6
        board = np.floor(x * boards).astype(np.intp)
        across = x * boards - board
        bend = 0.5 * _noise(rng, 3, 12) + 9 * rng.random(boards).astype(np.float32)[board]
        rings = 0.5 + 0.5 * np.sin(2 * np.pi * (3 * across + bend + 0.35 * _noise(rng, 6, 60)))
        fibres = 0.5 * _noise(rng, 10, 300) + 0.5 * _noise(rng, 40, 384)
        shade = 0.35 * rings + 0.10 * fibres + rng.uniform(0, 0.35, boards).astype(np.float32)[board]
        wood = rgb(colour) + (rgb(dark) - rgb(colour)) * np.clip(shade, 0, 1)[..., None]
        end = np.abs(y - rng.random(boards).astype(np.float32)[board])
        seam = np.clip(np.minimum(np.minimum(across, 1 - across) / boards, end) * TILE / 3, 0.25, 1)
        return np.asarray(wood * seam[..., None], np.float32)

    return draw


def cloth(colour: str, contrast: float = 0.16) -> Draw:
    """A plain weave of uneven threads."""

    def draw(rng: np.random.Generator) -> Tile:
        x, y = _coordinates()
        threads = 96
        warp, weft = np.sin(2 * np.pi * threads * x), np.sin(2 * np.pi * threads * y)
        over = np.sin(np.pi * threads * x) * np.sin(np.pi * threads * y) > 0
        weave = np.where(over, np.abs(warp), np.abs(weft))
        slubs = 0.5 * _noise(rng, 8, threads * 2) + 0.5 * _noise(rng, threads * 2, 8)
        light = 1 + contrast * (weave - 0.6) + 0.06 * slubs + 0.035 * _cloudy(rng, 3, 3)
        return np.asarray(rgb(colour) * light[..., None], np.float32)

    return draw


def gingham(colour: str, paper: str) -> Draw:
    """A checked tablecloth."""

    def draw(rng: np.random.Generator) -> Tile:
        x, y = _coordinates()
        columns, rows = (np.clip(0.5 + 5 * np.sin(2 * np.pi * 6 * place), 0, 1) for place in (x, y))
        share = (columns + rows)[..., None] / 2
        return np.asarray((rgb(paper) + (rgb(colour) - rgb(paper)) * share) * cloth("ffffff")(rng), np.float32)

    return draw


def tiles(colour: str, grout: str) -> Draw:
    """Square ceramic tiles, each of a slightly different tone."""

    def draw(rng: np.random.Generator) -> Tile:
        x, y = _coordinates()
        count = 5
        column, row = np.floor(x * count).astype(np.intp), np.floor(y * count).astype(np.intp)
        tone = 1 + rng.normal(0, 0.05, (count, count)).astype(np.float32)[row, column] + 0.03 * _cloudy(rng)
        edge = np.minimum(0.5 - np.abs(x * count - column - 0.5), 0.5 - np.abs(y * count - row - 0.5)) / count * TILE
        joint = np.clip((7 - edge) / 3, 0, 1)[..., None]
        bevel = 1 + 0.08 * np.clip((14 - edge) / 7, 0, 1)[..., None]
        return np.asarray(rgb(colour) * tone[..., None] * bevel * (1 - joint) + rgb(grout) * joint, np.float32)

    return draw


def grain(colour: str, amount: float, speckle: float = 0) -> Draw:
    """One colour with clouds (`amount`) and fine grains (`speckle`): paper with little, stone or sand with more."""

    def draw(rng: np.random.Generator) -> Tile:
        grains = cv2.GaussianBlur(rng.standard_normal((TILE, TILE)).astype(np.float32), (0, 0), 0.8)
        light = 1 + amount * _cloudy(rng, 5) + speckle * grains
        return np.asarray(rgb(colour) * light[..., None], np.float32)

    return draw


def lawn(light: str, dark: str) -> Draw:
    """Short grass: thousands of blades, each drawn over the earlier ones."""

    def draw(rng: np.random.Generator) -> Tile:
        picture = np.empty((TILE, TILE, 3), np.uint8)
        picture[:] = 255 * rgb(dark) ** (1 / 2.2) * 0.6
        count = 11000
        foot = rng.uniform(0, TILE, (count, 2))
        lean = rng.normal(0, 1, (count, 2)) * 14
        share = np.clip(np.linspace(-0.3, 0.8, count) + rng.normal(0, 0.25, count), 0, 1)[:, None]
        tones = 255 * (rgb(dark) + (rgb(light) - rgb(dark)) * share) ** (1 / 2.2)
        for (x, y), (dx, dy), tone in zip(foot, lean, tones.tolist(), strict=True):
            # A blade that crosses the tile's border is drawn at the opposite border too.
            for sx in {0, TILE * (int(x + dx < 0) - int(x + dx >= TILE))}:
                for sy in {0, TILE * (int(y + dy < 0) - int(y + dy >= TILE))}:
                    start = (round((x + sx) * 16), round((y + sy) * 16))
                    end = (round((x + sx + dx) * 16), round((y + sy + dy) * 16))
                    cv2.line(picture, start, end, tone, 2, cv2.LINE_AA, 4)
        return np.asarray((picture.astype(np.float32) / 255) ** 2.2, np.float32)

    return draw


GROUNDS: Mapping[str, Ground] = {
    "oak": Ground(planks("c79a62", "8a5f35"), "93a39c", "bcc8c2"),
    "walnut": Ground(planks("7a5236", "3f2818"), "66757c", "93a1a5"),
    "linen": Ground(cloth("cbbd9f"), "a3adb0", "d3d9da"),
    "felt": Ground(cloth("2f5d57"), "3f6f69", "6d958e"),
    "gingham": Ground(gingham("a8473d", "e6dccd"), "b9a78c", "d8cbb4"),
    "tiles": Ground(tiles("b9c7c4", "8c8f8c"), "c3cbc8", "e4e8e5"),
    "slate": Ground(grain("4d5459", 0.10, 0.12), "5d6870", "8d989f"),
    "sand": Ground(grain("cdb48a", 0.04, 0.22), "6fa3c6", "b4d2e4", outdoors=True),
    "grass": Ground(lawn("6f9a3c", "2d4f1a"), "35522a", "8fae74", outdoors=True),
    "blue": Ground(grain("86a9c2", 0.012, 0.02), "86a9c2", "b0c9da"),
    "rose": Ground(grain("d2a596", 0.012, 0.02), "d2a596", "e6c8bc"),
    "dusk": Ground(grain("4a5a80", 0.012, 0.02), "4a5a80", "7484a6"),
}
