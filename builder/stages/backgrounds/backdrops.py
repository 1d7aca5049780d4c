"""Backdrops behind the ground: skies, hills, trees, walls and lights, painted small because they are out of focus."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from builder.records import Rgb
from builder.stages.backgrounds.noise import Field, fractal
from builder.stages.backgrounds.palette import Colour, blend, choose, colour
from builder.stages.backgrounds.perspective import blurred

SIDE = 384
"""Width and height of a backdrop in pixels; a picture is several times larger."""

Backdrop = NDArray[np.float32]
"""float32 [SIDE, SIDE, 3] in [0, 255]; painted over in place, back to front."""


def rows() -> Field:
    """Position of each row, a fraction of the height: float32 [SIDE, 1]."""
    return ((np.arange(SIDE) + 0.5) / SIDE).astype(np.float32)[:, None]


def columns() -> Field:
    """Position of each column, a fraction of the width: float32 [1, SIDE]."""
    return rows().T


def gradient(palette: Sequence[Colour], top: float, bottom: float) -> Backdrop:
    """A vertical gradient along a palette, from row `top` to row `bottom`, fractions of the height."""
    share = np.broadcast_to((rows() - top) / (bottom - top), (SIDE, SIDE))
    return blend(palette, np.asarray(share, np.float32))


def cover(backdrop: Backdrop, shade: NDArray[np.float32], share: Field) -> None:
    """Blend a colour, or a picture, over the backdrop in place; `share` is its opacity, clipped to [0, 1]."""
    share = np.clip(share, 0, 1)[..., None]
    backdrop += (shade - backdrop) * share


def clouds(backdrop: Backdrop, rng: np.random.Generator, horizon: float, amount: float, shade: Colour) -> None:
    """Fair-weather clouds, flatter and smaller towards the horizon. amount: 0 (clear) to 1 (overcast)."""
    field = fractal((512, 512), rng, 1.45, lowest=1)
    high = np.maximum(horizon - rows(), 0.0) + 0.05
    y = np.broadcast_to(28 / high, (SIDE, SIDE)).astype(np.float32) % 511
    x = np.asarray((columns() - 0.5) * 26 / high + 256, np.float32) % 511
    dense = cv2.remap(field, x, y, cv2.INTER_LINEAR)
    thick = np.clip((dense + 2.2 * amount - 1.1) * 0.8, 0, 1) * np.clip((horizon - rows()) / 0.12, 0.0, 1)
    cover(backdrop, colour(shade), np.asarray(thick, np.float32))


def ridge(
    backdrop: Backdrop,
    rng: np.random.Generator,
    base: float,
    height: float,
    palette: Sequence[Colour],
    slope: float = 1.6,
) -> None:
    """A skyline from row `base` up to about `height` above it: mountains (slope 1.2), hills (2), dunes (2.5).

    palette: colours from crest to foot.
    """
    line = fractal((1, 2048), rng, slope, lowest=1)[0, :SIDE]
    line = (line - line.min()) / (line.max() - line.min() + 1e-6)
    crest = base - height * (0.3 + 0.7 * line)[None, :]
    below = (rows() - crest) * SIDE
    share = (rows() - crest) / (base - crest)
    texture = 0.10 * fractal((SIDE, SIDE), rng, 1.2, lowest=4)
    cover(backdrop, blend(palette, np.asarray(share + texture, np.float32)), np.asarray(below + 0.5, np.float32))


def foliage(
    backdrop: Backdrop,
    rng: np.random.Generator,
    base: float,
    height: float,
    palette: Sequence[Colour],
    count: int = 900,
) -> None:
    """Bushes and trees far out of focus: many overlapping discs, dark below and light where the sky reaches them."""
    crown = fractal((1, 1024), rng, 1.3, lowest=2)[0, :SIDE]
    crown = height * np.clip(0.7 + 0.28 * crown, 0.15, 1.3)
    x = rng.random(count)
    up = np.sort(rng.random(count) ** 0.8)[::-1]
    top = crown[(x * SIDE).astype(np.intp)]
    lit = np.clip(up * 0.55 + rng.normal(0, 0.22, count) + 0.18, 0, 1)
    shades = blend(palette, lit.astype(np.float32)[None])[0]
    radius = SIDE * height * rng.uniform(0.05, 0.13, count)
    layer, alpha = np.zeros((SIDE, SIDE, 3), np.float32), np.zeros((SIDE, SIDE), np.float32)
    for column, row, size, shade in zip(x * SIDE, (base - top * up) * SIDE, radius, shades, strict=True):
        centre = (round(column * 16), round(row * 16))
        cv2.circle(layer, centre, round(size * 16), shade.tolist(), -1, cv2.LINE_8, 4)
        cv2.circle(alpha, centre, round(size * 16), 1.0, -1, cv2.LINE_8, 4)
    band = (rows() > base - height * 0.3) & (rows() < base + 0.02)
    empty = (alpha == 0) & band
    layer[empty] = colour(palette[0])
    alpha[empty] = 1
    cover(backdrop, layer, alpha)


def trunks(backdrop: Backdrop, rng: np.random.Generator, base: float, palette: Sequence[Colour], count: int) -> None:
    """Tree trunks from about row `base` to beyond the picture's top; palette: from shaded side to lit side."""
    for place in np.sort(rng.random(count)):
        width = rng.uniform(0.008, 0.03)
        foot = base + rng.uniform(-0.02, 0.01)
        lean = 0.03 * np.clip(rng.normal(), -2.5, 2.5)
        near = slice(max(int((place - 0.12) * SIDE), 0), int((place + 0.12) * SIDE))
        aside = columns()[:, near] - place
        across = np.abs(aside - lean * (rows() - base)) / width
        inside = (1.2 - across) * width * SIDE / 2
        inside = np.where(rows() < foot, inside, 0)
        shade = blend(palette, np.asarray(0.5 - 0.5 * aside / width + 0 * rows(), np.float32))
        cover(backdrop[:, near], shade, np.asarray(inside, np.float32))


def box(backdrop: Backdrop, left: float, top: float, right: float, bottom: float, shade: Colour) -> None:
    """Fill a rectangle, given in fractions of the width and height."""
    x0, y0, x1, y1 = (round(edge * SIDE) for edge in (left, top, right, bottom))
    backdrop[max(y0, 0) : max(y1, 0), max(x0, 0) : max(x1, 0)] = colour(shade)


def lights(
    backdrop: Backdrop,
    rng: np.random.Generator,
    area: tuple[float, float, float, float],
    shades: Sequence[Colour],
    count: int,
    radius: float,
) -> None:
    """Highlights out of focus: translucent discs with a brighter rim, added to what is behind them.

    area: left, top, right, bottom; radius: both in fractions of the width.
    """
    left, top, right, bottom = area
    pad = int(radius * 1.15 * SIDE) + 3
    glow = np.zeros((SIDE + 2 * pad, SIDE + 2 * pad, 3), np.float32)
    for _ in range(count):
        x, y = rng.uniform(left, right) * SIDE, rng.uniform(top, bottom) * SIDE
        size = radius * rng.uniform(0.55, 1.15) * SIDE
        shade = colour(choose(rng, shades)) * np.float32(rng.uniform(0.15, 0.6))
        disc = np.zeros((2 * pad, 2 * pad, 3), np.float32)
        centre = (round((x % 1 + pad) * 16), round((y % 1 + pad) * 16))
        cv2.circle(disc, centre, round(size * 16), shade.tolist(), -1, cv2.LINE_AA, 4)
        cv2.circle(disc, centre, round(size * 16), (shade * 1.25).tolist(), 1, cv2.LINE_AA, 4)
        glow[int(y) : int(y) + 2 * pad, int(x) : int(x) + 2 * pad] += disc
    backdrop += cv2.GaussianBlur(glow[pad:-pad, pad:-pad], (0, 0), 0.8) * (1 - backdrop / 300)


def enlarge(backdrop: Backdrop, size: int, blur: float) -> Rgb:
    """The backdrop enlarged to uint8 [size, size, 3] and blurred; blur: standard deviation, a fraction of its width."""
    soft = blurred(np.clip(backdrop, 0, 255).astype(np.uint8), max(blur * SIDE, 0.3), slice(0, SIDE))
    return np.asarray(cv2.resize(soft, (size, size), interpolation=cv2.INTER_CUBIC), np.uint8)


def sea(backdrop: Backdrop, rng: np.random.Generator, horizon: float, shore: float, palette: Sequence[Colour]) -> None:
    """Waves between two rows, and foam where they meet the sand; palette: from the horizon to the shore."""
    below = np.broadcast_to((rows() - horizon) * SIDE, (SIDE, SIDE))
    cover(backdrop, gradient(palette, horizon, shore), np.asarray(below, np.float32))
    near = np.clip((rows() - horizon) / (shore - horizon), 0.02, 1)
    waves = fractal((512, 512), rng, 1.2, stretch=(1, 9), lowest=2)
    y = np.broadcast_to(40 / near % 511, (SIDE, SIDE)).astype(np.float32)
    x = np.asarray((columns() - 0.5) * 120 / near**0.6 + 256, np.float32) % 511
    height = cv2.remap(waves, x, y, cv2.INTER_LINEAR)
    inside = (rows() > horizon) & (rows() < shore + 0.02)
    cover(backdrop, colour("e8f4f4"), np.asarray(np.clip(height - 1.1, 0, 1) * 0.5 * inside, np.float32))
    cover(backdrop, colour("123f5c"), np.asarray(np.clip(-height - 0.6, 0, 1) * 0.3 * inside, np.float32))
    bend = fractal((1, 1024), rng, 2.0, lowest=1)[0, :SIDE][None, :] * 0.006
    for place, thick, strength in ((shore - 0.006, 0.009, 0.95), (shore - 0.045, 0.006, 0.75)):
        line = np.exp(-(((rows() - place - bend) / thick) ** 2)) * strength
        cover(backdrop, colour("fafcfb"), np.asarray(line, np.float32))


def firs(backdrop: Backdrop, rng: np.random.Generator, base: float, palette: Sequence[Colour], count: int) -> None:
    """Fir trees with snow on their branches; palette: dark, light, snow."""
    dark, light, white = (colour(text) for text in palette)
    for share in np.sort(rng.random(count)):
        height = (0.07 + 0.17 * share) * rng.uniform(0.7, 1.2)
        x, foot = rng.random(), base - 0.012 * (1 - share)
        haze = light + (dark - light) * np.float32(share)
        for level in np.linspace(0, 1, 7):
            half = height * 0.2 * (1.05 - level) * SIDE
            y = (foot - height * level * 0.85) * SIDE
            tier = np.array([(x * SIDE - half, y), (x * SIDE, y - height * SIDE * 0.24), (x * SIDE + half, y)])
            cv2.fillPoly(backdrop, [np.round(tier * 16).astype(np.int32)], haze.tolist(), cv2.LINE_8, 4)
            cap = np.array([tier[0] * 0.55 + tier[1] * 0.45, tier[1], tier[2] * 0.75 + tier[1] * 0.25])
            snowy = haze + (white - haze) * np.float32(0.75)
            cv2.fillPoly(backdrop, [np.round(cap * 16).astype(np.int32)], snowy.tolist(), cv2.LINE_8, 4)


def houses(backdrop: Backdrop, rng: np.random.Generator, horizon: float, evening: bool) -> None:
    """Two rows of house fronts that run towards the vanishing point in the middle of the horizon."""
    walls = ("b89a7c", "a86f52", "cdb892", "8f8478", "c9a58a", "9a8a94")
    panes = ("ffd58a", "3a3a46") if evening else ("4c5a66", "6f8290")
    dim = np.float32(0.5 if evening else 1.0)
    for side in (-1, 1):
        far = 0.09
        while far < 1.2:
            near = far * rng.uniform(1.3, 1.55)
            storeys, shade = int(rng.integers(3, 5)), choose(rng, walls)
            roof = 0.36 * storeys
            _facade(
                backdrop, horizon, side, (far, near), (-0.45, roof), colour(shade) * dim * (0.85 if side < 0 else 1.0)
            )
            _facade(backdrop, horizon, side, (far, near), (roof, roof * 1.06), colour("4a3a34") * dim)
            for storey in range(storeys):
                for window in range(3):
                    left = far + (near - far) * (0.12 + 0.3 * window)
                    pane = colour(panes[int(rng.random() < 0.45)])
                    low = 0.36 * storey + (0.02 if storey else -0.42)
                    _facade(
                        backdrop, horizon, side, (left, left + (near - far) * 0.15), (low, 0.36 * storey + 0.24), pane
                    )
            far = near
    if evening:
        lights(backdrop, rng, (0.2, horizon - 0.15, 0.8, horizon), ("ffc873", "ffe2ae"), 16, 0.022)


def _facade(
    backdrop: Backdrop,
    horizon: float,
    side: int,
    reach: tuple[float, float],
    heights: tuple[float, float],
    shade: NDArray[np.float32],
) -> None:
    """Fill a rectangle on a house front: `reach` along the street (0: the vanishing point), `heights` above the eye."""
    corners = [(reach[0], heights[0]), (reach[1], heights[0]), (reach[1], heights[1]), (reach[0], heights[1])]
    outline = [(0.5 + side * 0.5 * near, horizon - 0.62 * near * height) for near, height in corners]
    cv2.fillPoly(backdrop, [np.round(np.array(outline) * SIDE * 16).astype(np.int32)], shade.tolist(), cv2.LINE_8, 4)


def lake(backdrop: Backdrop, rng: np.random.Generator, horizon: float) -> None:
    """Still water below the horizon that mirrors everything above it."""
    first = round(horizon * SIDE)
    depth = min(first, SIDE - first)
    mirrored = cv2.GaussianBlur(backdrop[first - depth : first][::-1], (0, 0), sigmaX=2.0, sigmaY=4.0)
    ripple = fractal((depth, SIDE), rng, 0.9, stretch=(1, 12), lowest=3)[..., None]
    backdrop[first : first + depth] = np.clip(mirrored * 0.78 + colour("2f5468") * 0.2 + ripple * 5, 0, 255)
