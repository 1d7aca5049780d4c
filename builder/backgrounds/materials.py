"""Seamless tiles of ground, seen from above and lit from one side. Rows run away from the camera."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from builder.backgrounds.noise import Field, cells, fractal, relief
from builder.backgrounds.palette import Colour, blend, colour
from builder.records import Rgb

TILE = 1024
"""Width and height of a tile in pixels."""

LIGHT = (-0.5, -0.35, 1.0)
"""Towards the light in every scene: from the left, behind the objects, well above them."""


def paint(colours: NDArray[np.float32], light: Field | None = None) -> Rgb:
    """Colours under a light of 1 where nothing changes, as uint8."""
    lit = colours if light is None else colours * light[..., None]
    return np.clip(lit, 0, 255).astype(np.uint8)


def planks(
    rng: np.random.Generator, palette: Sequence[Colour], boards: int, *, joints: bool = True, gap: float = 2.5
) -> Rgb:
    """Wooden boards running away from the camera, `gap` pixels apart; ends staggered, or (no joints) out of sight.

    Each board is cut out of one sheet of wood at another place; the sheet's grain is the contour lines of stretched
    noise, which is how growth rings meet a sawn face.
    """
    rings = fractal((TILE, TILE), rng, 1.7, stretch=(14, 1), lowest=2)
    fibre = fractal((TILE, TILE), rng, 0.6, stretch=(40, 1), lowest=8)
    sheet = np.float32(0.5) + np.float32(0.165) * np.sin(rings * 9) + np.float32(0.09) * fibre

    row, column = _grid()
    pieces = 3 if joints else 1
    board = (column * boards // TILE).astype(np.intp)
    along = (row + TILE * rng.random(boards)[board[0]]) % TILE
    piece = np.minimum(along * pieces // TILE, pieces - 1).astype(np.intp)
    shift = rng.integers(0, TILE, (2, pieces, boards))[:, piece, board]
    grain = sheet[(row.astype(np.intp) + shift[0]) % TILE, (column.astype(np.intp) + shift[1]) % TILE]
    tone = rng.normal(0, 0.11, (pieces, boards)).astype(np.float32)[piece, board]

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
    """Rounded paving stones in staggered rows (`count` rows, even)."""
    pitch = TILE / count
    row, column = np.mgrid[:count, : round(count * 0.8)]
    across = TILE / column.shape[1]
    x = (column + 0.5 * (row % 2) + rng.normal(0, 0.10, row.shape)) * across
    y = (row + 0.5 + rng.normal(0, 0.07, row.shape)) * pitch
    points = np.stack([x.ravel(), y.ravel()], 1).astype(np.float32) % (TILE - 0.01)
    return _stones(rng, palette, joint, points, round_off=pitch * 0.28, gap=pitch * 0.035, bulge=pitch * 0.16)


def pebbles(rng: np.random.Generator, palette: Sequence[Colour], joint: Colour, count: int) -> Rgb:
    """Loose stones of many sizes, about `count` of them."""
    density = np.exp(fractal((TILE, TILE), rng, 1.2, lowest=2) * 0.5).ravel()
    place = rng.choice(TILE * TILE, count, replace=False, p=density / density.sum())
    points = np.stack([place % TILE, place // TILE], 1).astype(np.float32)
    size = TILE / np.sqrt(count)
    return _stones(rng, palette, joint, points, round_off=size * 0.35, gap=size * 0.04, bulge=size * 0.22)


def _stones(
    rng: np.random.Generator,
    palette: Sequence[Colour],
    joint: Colour,
    points: NDArray[np.float32],
    *,
    round_off: float,
    gap: float,
    bulge: float,
) -> Rgb:
    owner, edge = cells(TILE, points)
    rough = fractal((TILE, TILE), rng, 1.0, lowest=6)
    edge = edge + rough * 1.2
    rise = np.clip((edge - gap) / round_off, 0, 1)
    height = bulge * np.sqrt(1 - (1 - rise) ** 2) + 0.35 * rough
    light = relief(cv2.GaussianBlur(height, (0, 0), 1.2, borderType=cv2.BORDER_REFLECT_101), LIGHT)
    tone = rng.uniform(0.1, 0.9, len(points)).astype(np.float32)[owner]
    stone = blend(palette, tone + 0.09 * rough)
    hidden = np.clip(1 - rise * 4, 0, 1)[..., None]
    return paint(stone * (1 - hidden) + colour(joint) * hidden, np.asarray(light * (0.55 + 0.45 * rise), np.float32))


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
    """Soft snow: hollows blue, crests white, here and there a crystal that catches the sun."""
    drift = fractal((TILE, TILE), rng, 2.3, lowest=0.9)
    crust = fractal((TILE, TILE), rng, 1.4, lowest=9)
    light = relief(drift * 11 + crust * 0.75, (-0.7, -0.5, 1.0))
    share = 0.62 + (light - 1) * 1.5 + 0.06 * drift
    sparkle = (rng.random((TILE, TILE), np.float32) > 0.9985)[..., None] * np.float32(60)
    return paint(blend(palette, np.asarray(share, np.float32)) + sparkle)


def turf(rng: np.random.Generator, palette: Sequence[Colour]) -> Rgb:
    """What is seen between blades of grass, and all that is seen of grass far away."""
    clumps = fractal((TILE, TILE), rng, 1.0, lowest=3)
    blades = fractal((TILE, TILE), rng, 0.5, stretch=(3, 1), lowest=20)
    return paint(blend(palette, np.asarray(0.45 + 0.17 * clumps + 0.16 * blades, np.float32)))


def cloth(rng: np.random.Generator, first: Colour, second: Colour, checks: int) -> Rgb:
    """Gingham: two colours of thread, woven over and under, in a cloth that does not lie quite flat."""
    row, column = _grid()
    weft, warp = (axis * (2 * checks) // TILE % 2 for axis in (row, column))
    over = (row // 3 + column // 3) % 2
    dyed = weft * over + warp * (1 - over)
    dyed = 0.8 * cv2.GaussianBlur(dyed, (0, 0), 1.1) + 0.2 * dyed
    folds = fractal((TILE, TILE), rng, 2.4, lowest=0.5)
    weave = rng.standard_normal((TILE, TILE), np.float32)
    light = relief(folds * 26, (-0.6, -0.45, 1.0)) + 0.05 * weave + 0.03 * (over - 0.5)
    return paint(blend((second, first), dyed), np.asarray(light, np.float32))


def leaves(rng: np.random.Generator, palette: Sequence[Colour], soil: Sequence[Colour], count: int) -> Rgb:
    """Fallen leaves, one over the other, each with its midrib and a shadow on those below."""
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


def _grid() -> tuple[Field, Field]:
    """Each pixel's row, float32 [TILE, 1], and column, float32 [1, TILE]."""
    ramp = np.arange(TILE, dtype=np.float32)
    return ramp[:, None], ramp[None, :]


def _to_lines(place: Field, pitch: float) -> Field:
    """How far each place is from the nearest multiple of `pitch`."""
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
    """Where to draw something so that it wraps around the tile's edges."""
    shifts = [place + np.array([dx, dy]) for dx in (-TILE, 0, TILE) for dy in (-TILE, 0, TILE)]
    return [shift for shift in shifts if (shift > -reach).all() and (shift < TILE + reach).all()]
