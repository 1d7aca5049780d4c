"""Seamless ground tiles, seen from above and lit from one side. A tile's vertical axis points away from the camera."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from builder.records import Rgb
from builder.stages.backgrounds.noise import Field, fractal, relief
from builder.stages.backgrounds.palette import Colour, blend, colour

TILE = 1024
"""Width and height of a tile in pixels."""

LIGHT = (-0.5, -0.35, 1.0)
"""Direction towards the light in every scene: to the left, behind the objects, well above them."""


def paint(colours: NDArray[np.float32], light: Field | None = None) -> Rgb:
    """Multiply colours by a light, where 1 changes nothing, and convert them to uint8."""
    lit = colours if light is None else colours * light[..., None]
    return np.clip(lit, 0, 255).astype(np.uint8)


def planks(
    rng: np.random.Generator, palette: Sequence[Colour], boards: int, *, joints: bool = True, gap: float = 2.5
) -> Rgb:
    """Wooden boards running away from the camera, `gap` pixels apart; ends staggered, or out of sight without joints.

    Each board is cut from a different place of one sheet of wood. The sheet's grain is the contour lines of stretched
    noise, which look like growth rings on a sawn face.
    """
    rings = fractal((TILE, TILE), rng, 1.7, stretch=(14, 1), lowest=2)
    fibre = fractal((TILE, TILE), rng, 0.6, stretch=(40, 1), lowest=8)
    sheet = np.float32(0.5) + np.float32(0.165) * np.sin(rings * 9) + np.float32(0.09) * fibre

    row, column = _grid()
    pieces = 2 if joints else 1
    board = (column * boards // TILE).astype(np.intp)
    along = (row + TILE * rng.random(boards)[board[0]]) % TILE
    piece = np.minimum(along * pieces // TILE, pieces - 1).astype(np.intp)
    shift = rng.integers(0, TILE, (2, pieces, boards))[:, piece, board]
    grain = sheet[(row.astype(np.intp) + shift[0]) % TILE, (column.astype(np.intp) + shift[1]) % TILE]
    tone = rng.uniform(-0.17, 0.17, (pieces, boards)).astype(np.float32)[piece, board]

    seam = _to_lines(column, TILE / boards)
    seam = np.minimum(seam, _to_lines(along, TILE / pieces)) if joints else seam
    light = 1 - 0.72 * np.exp(-((seam / np.float32(gap)) ** 2)) + 0.8 * tone
    return paint(blend(palette, grain + tone), np.asarray(light, np.float32))


def tiles(
    rng: np.random.Generator, palettes: Sequence[Sequence[Colour]], grout: Colour, count: int, *, gap: float = 5
) -> Rgb:
    """Square floor tiles, `gap` pixels apart; with two palettes, laid as a chequerboard (count must then be even)."""
    row, column = _grid()
    down, across = ((axis * count // TILE).astype(np.intp) for axis in (row, column))
    marble = fractal((TILE, TILE), rng, 1.5, lowest=1.5)
    shift = rng.integers(0, TILE, (2, count, count))[:, down, across]
    marble = marble[(row.astype(np.intp) + shift[0]) % TILE, (column.astype(np.intp) + shift[1]) % TILE]
    tone = rng.normal(0, 0.12, (count, count)).astype(np.float32)[down, across]
    share = np.float32(0.35) + np.float32(0.16) * marble + np.float32(0.3) * np.exp(-np.abs(marble) * 7) + tone
    colours = blend(palettes[0], share)
    for index, palette in enumerate(palettes[1:], 1):
        kind = (down + across) % len(palettes) == index
        colours[kind] = blend(palette, share[kind])

    beside, below = _to_lines(column, TILE / count), _to_lines(row, TILE / count)
    edge = np.minimum(beside, below)
    joint = np.clip((gap - edge) / 2 + 0.5, 0, 1)[..., None]
    worn = 1 - 0.2 * np.exp(-(((edge - gap) / 4) ** 2)) + 0.06 * fractal((TILE, TILE), rng, 1.0, lowest=1)
    colours += (colour(grout) - colours) * joint
    return paint(colours, np.asarray(worn, np.float32))


def cobbles(rng: np.random.Generator, palette: Sequence[Colour], joint: Colour, count: int) -> Rgb:
    """Worn paving stones of unequal width, in `count` rows."""
    pitch = TILE / count
    owner, from_end = np.empty((count, TILE), np.intp), np.empty((count, TILE), np.float32)
    stones = round(count * 0.75)
    middle = (np.arange(TILE) + 0.5).astype(np.float32)
    for index in range(count):
        ends = np.cumsum(rng.uniform(0.75, 1.25, stones))
        ends = (ends / ends[-1] + rng.random()) % 1 * TILE
        ends.sort()
        after = np.searchsorted(ends, middle)
        owner[index] = after % stones + index * stones
        to_end = np.stack(
            [middle - np.append(ends[-1] - TILE, ends)[after], np.append(ends, ends[0] + TILE)[after] - middle]
        )
        from_end[index] = to_end.min(axis=0)
    row, column = _grid()
    row = (row + 2.0 * fractal((TILE, TILE), rng, 1.6, lowest=3)) % TILE
    across = (column + 2.0 * fractal((TILE, TILE), rng, 1.6, lowest=3)).astype(np.intp) % TILE
    line = (row / pitch).astype(np.intp) % count
    beside = np.maximum(pitch * 0.22 - from_end[line, across], 0)
    below = np.maximum(pitch * 0.22 - _to_lines(row, pitch), 0)
    edge = np.asarray(pitch * 0.22 - np.hypot(beside, below), np.float32)

    rough = fractal((TILE, TILE), rng, 1.0, lowest=6)
    rise = np.clip((edge + 0.8 * rough - pitch * 0.02) / (pitch * 0.2), 0, 1)
    height = pitch * 0.14 * np.sqrt(1 - (1 - rise) ** 2) + 0.3 * rough
    tone = rng.uniform(0.1, 0.9, count * stones).astype(np.float32)[owner[line, across]]
    stone = blend(palette, tone + 0.09 * rough)
    stone += (colour(joint) - stone) * np.clip(1 - rise * 5, 0, 1)[..., None]
    return paint(stone, _lit(np.asarray(height, np.float32)))


def gravel(rng: np.random.Generator, palette: Sequence[Colour], count: int) -> Rgb:
    """Grit with `count` loose stones of many sizes on it."""
    grit = fractal((TILE, TILE), rng, 0.5, lowest=4)
    height = 0.5 * grit + 2.5 * fractal((TILE, TILE), rng, 1.8, lowest=1)
    tone = 0.45 + 0.13 * grit
    radii = np.sort(np.clip(rng.lognormal(2.0, 0.65, count), 3, 42)).astype(np.float32)
    for radius, place in zip(radii, rng.integers(0, TILE, (count, 2)), strict=True):
        reach = np.arange(-int(radius * 1.6) - 1, int(radius * 1.6) + 2)
        down, across = reach[:, None].astype(np.float32), reach.astype(np.float32)
        squashed = across * np.float32(rng.uniform(0.65, 1)) + down * np.float32(rng.uniform(-0.4, 0.4))
        facets = np.cos(np.arctan2(down, squashed) * 3 + np.float32(rng.uniform(0, 6.3)))
        far = (down**2 + squashed**2) / (radius * (1 + np.float32(0.16) * facets)) ** 2
        inside = np.maximum(1 - far, 0)
        dome = np.float32(0.75) * radius * np.minimum(inside, 0.5) ** np.float32(0.6)
        where = np.ix_((place[0] + reach) % TILE, (place[1] + reach) % TILE)
        above = (inside > 0) & (dome > height[where] - 2)
        height[where] = np.where(above, dome + 0.25 * grit[where], height[where])
        tone[where] = np.where(above, np.float32(rng.uniform(0.2, 1)) + 0.07 * grit[where], tone[where])
    return paint(blend(palette, tone), _lit(height))


def sand(rng: np.random.Generator, palette: Sequence[Colour], *, ripples: float, height: float) -> Rgb:
    """Sand with wind ripples across the view: `ripples` per tile (0 for none), `height` pixels high; soft bumps."""
    row, _ = _grid()
    bend = fractal((TILE, TILE), rng, 2.0, lowest=0.5)
    strength = 0.55 + 0.45 * np.tanh(fractal((TILE, TILE), rng, 2.2) * 1.2)
    phase = np.float32(2 * np.pi / TILE * ripples) * row + bend * 2.6
    wave = np.sin(phase) + 0.28 * np.sin(2 * phase + 0.9)
    grains = rng.standard_normal((TILE, TILE), np.float32)
    bumps = fractal((TILE, TILE), rng, 1.9, lowest=1.5)
    surface = height * wave * strength + bumps * height * 1.6 + fractal((TILE, TILE), rng, 1.1, lowest=20) * 0.35
    light = relief(np.asarray(surface, np.float32), (-0.55, -0.55, 1.0))
    share = 0.5 + 0.13 * wave * strength * (ripples > 0) + 0.10 * bumps + 0.11 * grains
    return paint(blend(palette, np.asarray(share, np.float32)), np.asarray(light, np.float32))


def snow(rng: np.random.Generator, palette: Sequence[Colour]) -> Rgb:
    """Soft snow: blue hollows, white crests, and a few crystals that reflect the sun."""
    drift = fractal((TILE, TILE), rng, 2.3, lowest=0.9)
    crust = fractal((TILE, TILE), rng, 1.4, lowest=9)
    light = relief(drift * 11 + crust * 0.75, (-0.7, -0.5, 1.0))
    share = 0.62 + (light - 1) * 1.5 + 0.06 * drift
    sparkle = (rng.random((TILE, TILE), np.float32) > 0.9985)[..., None] * np.float32(60)
    return paint(blend(palette, np.asarray(share, np.float32)) + sparkle)


def turf(rng: np.random.Generator, palette: Sequence[Colour]) -> Rgb:
    """Ground between blades of grass, and grass so far away that no single blade is drawn."""
    clumps = fractal((TILE, TILE), rng, 1.0, lowest=3)
    blades = fractal((TILE, TILE), rng, 0.5, stretch=(3, 1), lowest=20)
    return paint(blend(palette, np.asarray(0.45 + 0.17 * clumps + 0.16 * blades, np.float32)))


def cloth(rng: np.random.Generator, first: Colour, second: Colour, checks: int) -> Rgb:
    """Gingham: two colours of thread, woven over and under, in a cloth with slight folds."""
    row, column = _grid()
    weft, warp = (axis * (2 * checks) // TILE % 2 for axis in (row, column))
    over = (row // 3 + column // 3) % 2
    dyed = weft * over + warp * (1 - over)
    dyed = 0.8 * cv2.GaussianBlur(dyed, (0, 0), 1.1) + 0.2 * dyed
    folds = fractal((TILE, TILE), rng, 2.0, lowest=0.5)
    weave = rng.standard_normal((TILE, TILE), np.float32)
    light = relief(folds * 9, (-0.6, -0.45, 1.0)) + 0.05 * weave + 0.03 * (over - 0.5)
    return paint(blend((second, first), dyed), np.asarray(light, np.float32))


def leaves(rng: np.random.Generator, palette: Sequence[Colour], soil: Sequence[Colour], count: int) -> Rgb:
    """Overlapping fallen leaves, each with a midrib and a shadow on those below."""
    ground = paint(blend(soil, np.asarray(0.5 + 0.25 * fractal((TILE, TILE), rng, 1.0, lowest=4), np.float32)))
    places = rng.uniform(0, TILE, (count, 2))
    tones = blend(palette, rng.random((1, count)).astype(np.float32))[0]
    for index, (place, tone) in enumerate(zip(places, tones, strict=True)):
        length, turn = rng.uniform(45, 85), rng.uniform(0, 2 * np.pi)
        outline, rib = _leaf(length, rng.uniform(0.28, 0.5), turn, rng.normal(0, 0.25))
        depth = 0.55 + 0.45 * index / count
        for shift in _around(place, length):
            fill(ground, outline + shift + (4, 5), 0.35 * tone * depth)
            fill(ground, outline + shift, tone * depth)
            line = np.round((rib + shift) * 16).astype(np.int32)
            cv2.polylines(ground, [line], False, (tone * depth * 0.72).tolist(), 1, cv2.LINE_AA, 4)
    light = 1 + 0.05 * fractal((TILE, TILE), rng, 0.7, lowest=10)
    return paint(ground.astype(np.float32), light)


def _lit(height: Field) -> Field:
    """Light on a relief of stones; places lower than their surroundings are darkened further."""
    around = cv2.GaussianBlur(np.pad(height, 48, mode="wrap"), (0, 0), 9)[48:-48, 48:-48]
    open_sky = np.clip(1 - 0.07 * (around - height), 0.35, 1.1)
    smooth = cv2.GaussianBlur(height, (0, 0), 0.8)
    return np.asarray(relief(smooth, LIGHT) * open_sky, np.float32)


def _grid() -> tuple[Field, Field]:
    """Each pixel's row, float32 [TILE, 1], and column, float32 [1, TILE]."""
    ramp = np.arange(TILE, dtype=np.float32)
    return ramp[:, None], ramp[None, :]


def _to_lines(place: Field, pitch: float) -> Field:
    """Distance of each position from the nearest multiple of `pitch`."""
    return np.asarray(np.abs((place + pitch / 2) % pitch - pitch / 2), np.float32)


def fill(picture: Rgb, outline: NDArray[np.float64], shade: NDArray[np.float32]) -> None:
    """Fill a polygon, float [N, 2] in pixels, in place and with soft edges."""
    cv2.fillPoly(picture, [np.round(outline * 16).astype(np.int32)], shade.tolist(), cv2.LINE_AA, 4)


def _leaf(length: float, slim: float, turn: float, curl: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    along = np.linspace(0, 1, 9)
    side = np.sin(np.pi * along**0.8) * slim * (1 + 0.12 * (np.arange(9) % 2))
    bend = curl * along**2
    upper, lower = np.stack([along - 0.5, side + bend], 1), np.stack([along - 0.5, bend - side], 1)[::-1]
    rib = np.stack([np.append(-0.15, along) - 0.5, np.append(0, bend)], 1)
    rotation = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]]) * length
    return np.concatenate([upper, lower]) @ rotation, rib @ rotation


def _around(place: NDArray[np.float64], reach: float) -> list[NDArray[np.float64]]:
    """Positions at which to draw a shape of radius `reach` so that it wraps around the tile's edges."""
    shifts = [place + np.array([dx, dy]) for dx in (-TILE, 0, TILE) for dy in (-TILE, 0, TILE)]
    return [shift for shift in shifts if (shift > -reach).all() and (shift < TILE + reach).all()]
