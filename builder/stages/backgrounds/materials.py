"""Seamless ground tiles, seen from above and lit from one side. A tile's vertical axis points away from the camera."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import cv2
import numpy as np

from builder.records import Rgb
from builder.stages.backgrounds.noise import Field, fractal, relief, soft, white
from builder.stages.backgrounds.palette import Colour, colour, light_up, mix, tint

TILE = 1024
"""Width and height of a tile in pixels."""

LIGHT = (-0.5, -0.35, 1.0)
"""Direction towards the light in every scene: to the left, behind the objects, well above them."""


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

    pieces = 2 if joints else 1
    edges = np.arange(boards + 1) * TILE // boards
    sheet = cv2.copyMakeBorder(sheet, 0, 0, 0, TILE // boards + 1, cv2.BORDER_WRAP)
    shift_down, shift_across = rng.integers(0, TILE, (2, pieces, boards))
    tones = rng.uniform(-0.17, 0.17, (pieces, boards)).astype(np.float32)
    row, column = _grid()
    seam, starts = _to_lines(column, TILE / boards), rng.integers(0, TILE, boards)
    share, light = np.empty((TILE, TILE), np.float32), np.empty((TILE, TILE), np.float32)
    for board, (left, right) in enumerate(pairwise(edges)):
        along = (np.arange(TILE) + starts[board]) % TILE
        for piece in range(pieces):
            rows = np.flatnonzero(along * pieces // TILE == piece)
            across = shift_across[piece, board]
            grain = sheet[(rows + shift_down[piece, board]) % TILE, across : across + right - left]
            share[rows, left:right] = grain + tones[piece, board]
            light[rows, left:right] = 1 + np.float32(0.8) * tones[piece, board]
        end = _to_lines(along[:, None].astype(np.float32), TILE / pieces) if joints else row + TILE
        light[:, left:right] -= np.float32(0.72) * _groove(np.minimum(seam[:, left:right], end), gap)
    return light_up(tint(palette, share), light)


def tiles(
    rng: np.random.Generator, palettes: Sequence[Sequence[Colour]], grout: Colour, count: int, *, gap: float = 5
) -> Rgb:
    """Square floor tiles, `gap` pixels apart; with two palettes, laid as a chequerboard (count must then be even).

    count: along each side; TILE is a multiple of it.
    """
    marble = fractal((TILE, TILE), rng, 1.5, lowest=1.5)
    vein = np.float32(0.35) + np.float32(0.16) * marble + np.float32(0.3) * np.exp(np.abs(marble) * np.float32(-7))
    side = TILE // count
    vein = cv2.copyMakeBorder(vein, 0, side, 0, side, cv2.BORDER_WRAP)
    shifts = rng.integers(0, TILE, (count, count, 2))
    tones = rng.normal(0, 0.12, (count, count)).astype(np.float32)
    colours = np.empty((TILE, TILE, 3), np.uint8)
    for down, across in np.ndindex(count, count):
        top, left = shifts[down, across]
        share = vein[top : top + side, left : left + side] + tones[down, across]
        square = tint(palettes[(down + across) % len(palettes)], share)
        colours[down * side : (down + 1) * side, across * side : (across + 1) * side] = square

    row, column = _grid()
    edge = np.minimum(_to_lines(column, TILE / count), _to_lines(row, TILE / count))
    joint = np.asarray(np.clip((gap - edge) / 2 + 0.5, 0, 1), np.float32)
    worn = np.float32(0.06) * soft((TILE, TILE), rng, 1.0, lowest=1) + 1
    worn -= np.float32(0.2) * _groove(edge - np.float32(gap), 4)
    return light_up(mix(colours, _plain(grout), joint), worn)


def cobbles(rng: np.random.Generator, palette: Sequence[Colour], joint: Colour, count: int) -> Rgb:
    """Worn paving stones of unequal width, in `count` rows."""
    pitch = np.float32(TILE / count)
    stones = round(count * 0.75)
    owner, from_end = np.empty((count, TILE), np.intp), np.empty((count, TILE), np.float32)
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
    row = row + 2 * soft((TILE, TILE), rng, 1.6, lowest=3)
    column = column + 2 * soft((TILE, TILE), rng, 1.6, lowest=3)
    line = row / pitch - np.float32(0.5)
    limit = pitch * np.float32(0.22)
    beside = np.maximum(limit - _nearest(from_end, column, line), 0)
    below = np.maximum(limit - _to_lines(row, float(pitch)), 0)
    edge = limit - cv2.magnitude(beside, below)

    rough = fractal((TILE, TILE), rng, 1.0, lowest=6)
    rise = np.clip((edge + np.float32(0.8) * rough - pitch * np.float32(0.02)) / (pitch * np.float32(0.2)), 0, 1)
    height = pitch * np.float32(0.14) * np.sqrt(1 - (1 - rise) ** 2) + np.float32(0.3) * rough
    tone = rng.uniform(0.1, 0.9, count * stones).astype(np.float32)[owner]
    stone = tint(palette, _nearest(tone, column, line) + np.float32(0.09) * rough)
    return light_up(mix(stone, _plain(joint), np.clip(1 - rise * 5, 0, 1)), lit(height))


def sand(rng: np.random.Generator, palette: Sequence[Colour], *, ripples: float, height: float) -> Rgb:
    """Sand with wind ripples across the view: `ripples` per tile (0 for none), `height` pixels high; soft bumps."""
    row, _ = _grid()
    bumps = fractal((TILE, TILE), rng, 1.9, lowest=1.5)
    surface = np.float32(1.6 * height) * bumps + np.float32(0.35) * fractal((TILE, TILE), rng, 1.1, lowest=20)
    share = np.float32(0.5) + np.float32(0.1) * bumps + np.float32(0.11) * white((TILE, TILE), rng)
    bend = soft((TILE, TILE), rng, 2.0, lowest=0.5)
    phase = np.float32(2 * np.pi / TILE * ripples) * row + np.float32(2.6) * bend
    strength = np.float32(0.55) + np.float32(0.45) * np.tanh(soft((TILE, TILE), rng, 2.2, lowest=0) * np.float32(1.2))
    wave = strength * (np.sin(phase) + np.float32(0.28) * np.sin(2 * phase + np.float32(0.9)))
    surface += np.float32(height) * wave
    if ripples:
        share += np.float32(0.13) * wave
    return light_up(tint(palette, share), relief(surface, (-0.55, -0.55, 1.0)))


def snow(rng: np.random.Generator, palette: Sequence[Colour]) -> Rgb:
    """Soft snow: blue hollows, white crests, and a few crystals that reflect the sun."""
    drift = soft((TILE, TILE), rng, 2.3, lowest=0.9)
    crust = fractal((TILE, TILE), rng, 1.4, lowest=9)
    light = relief(drift * 11 + crust * np.float32(0.75), (-0.7, -0.5, 1.0))
    colours = tint(palette, np.float32(1.5) * light + np.float32(0.06) * drift + np.float32(0.62 - 1.5))
    down, across = rng.integers(0, TILE, (2, round(0.0015 * TILE**2)))
    colours[down, across] = np.minimum(colours[down, across], 195) + 60
    return colours


def turf(rng: np.random.Generator, palette: Sequence[Colour]) -> Rgb:
    """Ground between blades of grass, and grass so far away that no single blade is drawn."""
    clumps = soft((TILE, TILE), rng, 1.0, lowest=3)
    blades = fractal((TILE, TILE), rng, 0.5, stretch=(3, 1), lowest=20)
    return tint(palette, np.float32(0.45) + np.float32(0.17) * clumps + np.float32(0.16) * blades)


def cloth(rng: np.random.Generator, first: Colour, second: Colour, checks: int) -> Rgb:
    """Gingham: two colours of thread, woven over and under, in a cloth with slight folds."""
    row, column = _grid()
    weft, warp = (axis * (2 * checks) // TILE % 2 for axis in (row, column))
    over = np.abs(row // 3 % 2 - column // 3 % 2)
    dyed = warp + (weft - warp) * over
    dyed = np.float32(0.8) * cv2.GaussianBlur(dyed, (0, 0), 1.1) + np.float32(0.2) * dyed
    light = relief(soft((TILE, TILE), rng, 2.0, lowest=0.5) * 9, (-0.6, -0.45, 1.0))
    light += np.float32(0.05) * white((TILE, TILE), rng) + np.float32(0.03) * (over - np.float32(0.5))
    return light_up(tint((second, first), dyed), light)


def lit(height: Field) -> Field:
    """Light on a relief of stones; places lower than their surroundings are darkened further."""
    coarse = cv2.resize(height, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
    coarse = cv2.GaussianBlur(cv2.copyMakeBorder(coarse, 12, 12, 12, 12, cv2.BORDER_WRAP), (0, 0), 9 / 4)
    around = cv2.resize(coarse, None, fx=4, fy=4, interpolation=cv2.INTER_LINEAR)[48:-48, 48:-48]
    open_sky = np.clip(1 - np.float32(0.07) * (around - height), 0.35, 1.1)
    open_sky *= relief(cv2.GaussianBlur(height, (0, 0), 0.8), LIGHT)
    return np.asarray(open_sky, np.float32)


def _nearest(values: Field, column: Field, row: Field) -> Field:
    """The values nearest to positions at most 32 columns outside of the array, which wraps around at its edges."""
    around = cv2.copyMakeBorder(values, 1, 1, 32, 32, cv2.BORDER_WRAP)
    found = cv2.remap(around, column + 32, row + 1, cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(found, np.float32)


def _plain(shade: Colour) -> Rgb:
    """A tile of one colour."""
    return np.full((TILE, TILE, 3), colour(shade), np.uint8)


def _groove(distance: Field, width: float) -> Field:
    """Depth of a rounded groove: 1 in its middle, 0.37 at `width` from it."""
    power = (distance * np.float32(1 / width)) ** 2
    return np.asarray(cv2.exp(-np.minimum(power, np.float32(20))), np.float32)  # subnormal results would be slow


def _grid() -> tuple[Field, Field]:
    """Each pixel's row, float32 [TILE, 1], and column, float32 [1, TILE]."""
    ramp = np.arange(TILE, dtype=np.float32)
    return ramp[:, None], ramp[None, :]


def _to_lines(place: Field, pitch: float) -> Field:
    """Distance of each position from the nearest multiple of `pitch`."""
    place = place * np.float32(1 / pitch)
    return np.asarray(np.abs(place - np.rint(place)) * np.float32(pitch), np.float32)
