"""Last steps of every painted scene: combine backdrop and ground; add haze, reflections, edges, light and grain."""

from __future__ import annotations

import cv2
import numpy as np

from builder.records import Background, Rgb
from builder.stages.backgrounds import backdrops
from builder.stages.backgrounds.backdrops import Backdrop
from builder.stages.backgrounds.noise import fractal, white
from builder.stages.backgrounds.palette import Colour, colour, light_up, mix_rows
from builder.stages.backgrounds.perspective import Camera, blurred, tile_ground

SIZE = 1152
"""Width and height in pixels of painted scenes: an eighth more than the default resolution, as room to crop."""

GRAIN = np.float32(0.012)
"""Standard deviation of the grain in a finished scene, as a fraction of the brightness."""


def compose(
    back: Backdrop,
    tile: Rgb,
    metres: float,
    camera: Camera,
    edge: float,
    *,
    blur: float,
    loose: np.random.Generator | None = None,
) -> Rgb:
    """Combine a backdrop, out of focus by `blur`, with a ground of tiles from row `edge` down.

    Args:
        back: the backdrop; the ground covers its part below `edge`.
        tile: seamless ground.
        metres: width of a tile.
        camera: the view.
        edge: fraction of the height at which the ground begins.
        blur: standard deviation, as a fraction of the width.
        loose: only for a material without a pattern: a generator by which shifted copies of the tile are mixed, so
            that its repetition does not show.

    Returns:
        uint8 [SIZE, SIZE, 3].
    """
    picture = backdrops.enlarge(back, SIZE, blur)
    top = max(round(edge * SIZE), int(camera.horizon * SIZE) + 2)
    patches = None if loose is None else fractal((256, 256), loose, 1.8, lowest=1)
    picture[top:] = tile_ground(tile, metres, camera, SIZE, top, patches=patches)
    return picture


def haze(picture: Rgb, camera: Camera, shade: Colour, amount: float, *, depth: float = 0.1) -> None:
    """Blend the colour of hazy air or light over the far ground, in place.

    amount: opacity at the horizon, 0 to 1. depth: nearness at which a third of it is left.
    """
    first = int(camera.horizon * SIZE) + 1
    share = amount * np.exp(-camera.nearness(first, SIZE) / depth)
    share = share[share > 0.004]
    mix_rows(picture[first : first + len(share)], shade, share)


def reflect(picture: Rgb, edge: float, amount: float) -> None:
    """Add the fading mirror image of the backdrop to a polished ground, in place."""
    first = round(edge * SIZE)
    depth = min(first, SIZE - first)
    mirrored = blurred(picture, SIZE * 0.008, slice(first - depth, first))[::-1]
    mix_rows(picture[first : first + depth], mirrored, amount * np.linspace(1, 0.1, depth))


def corner(picture: Rgb, edge: float) -> None:
    """Darken the floor next to the wall behind it, in place."""
    first, reach = round(edge * SIZE), round(0.035 * SIZE)
    mix_rows(picture[first : first + reach], "000000", 0.5 * np.exp(-np.linspace(0, 4, reach)))


def rim(picture: Rgb, edge: float, shade: Colour) -> None:
    """Draw the far edge of a table top or blanket, in place."""
    first = round(edge * SIZE)
    mix_rows(picture[first - 3 : first + 1], shade, np.full(4, 0.65))


def wet(picture: Rgb, rng: np.random.Generator, edge: float, shade: Colour) -> None:
    """Darken the sand next to the water, in place."""
    first, reach = round(edge * SIZE), round(0.07 * SIZE)
    bend = fractal((1, 2048), rng, 2.0, lowest=1)[:, :SIZE] * np.float32(0.12)
    depth = np.linspace(0, 1, reach, dtype=np.float32)[:, None] + bend
    share = (0.55 * np.clip((0.75 - depth) / 0.35, 0, 1))[..., None]
    part = picture[first : first + reach]
    part[:] = part + (colour(shade) - part) * share


def finish(picture: Rgb, rng: np.random.Generator, camera: Camera, ground: float, *, warmth: float = 0.0) -> Background:
    """Add light from the upper left, darker corners and a little grain, as in a photo; return the background.

    Args:
        picture: uint8 [SIZE, SIZE, 3].
        rng: the scene's generator.
        camera: the view.
        ground: highest row on which something may stand, as a fraction of the height.
        warmth: how much more red and less blue the light is; 0 is neutral.
    """
    place = np.linspace(-1, 1, SIZE // 8, dtype=np.float32)
    row, column = place[:, None], place[None, :]
    slope = np.float32(rng.uniform(0.03, 0.08))
    corners = np.float32(0.065) * (row**2 + column**2) ** np.float32(1.5)
    light = (1 - slope * (np.float32(0.8) * column + np.float32(0.3) * row)) * (1 - corners)
    light = cv2.resize(light, (SIZE, SIZE)) + GRAIN * white((SIZE, SIZE), rng)
    if warmth:
        picture = cv2.multiply(picture, (1 + warmth, 1, 1 - warmth, 0))
    return Background(pixels=light_up(picture, light), horizon=camera.horizon, ground=ground)
