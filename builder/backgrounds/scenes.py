"""Places to stand in, painted: each a few lines of backdrop, ground, grass and light.

Every scene draws its palette, horizon and light from the generator that it is given; its variants are other seeds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import cv2
import numpy as np

from builder.backgrounds import backdrops, grass, materials
from builder.backgrounds.backdrops import Backdrop
from builder.backgrounds.materials import Colour, colour
from builder.backgrounds.perspective import Camera, defocus, lay
from builder.records import Background, Rgb

SIZE = 1152
"""Width and height in pixels at which scenes are painted: an eighth more than the default resolution, room to crop."""

T = TypeVar("T")
SUNNY_SKY = ("3f7fc4", "8fbbe3", "dfeaf2")
SKIES = (SUNNY_SKY, ("5c93c9", "a9cbe6", "f1ead9"), ("7f9fc0", "b9cadb", "e9e6e0"))


def meadow(rng: np.random.Generator) -> Background:
    """Grass with flowers, a wood behind it."""
    camera = Camera(horizon=rng.uniform(0.30, 0.38), width=1.5)
    back = backdrops.gradient(_one(rng, SKIES), 0, camera.horizon)
    backdrops.clouds(back, rng, camera.horizon, rng.uniform(0.35, 0.6), "ffffff")
    backdrops.ridge(back, rng, camera.horizon + 0.01, 0.11, ("7f9a8c", "8fa58a"), 2.0)
    backdrops.foliage(back, rng, camera.horizon + 0.01, rng.uniform(0.08, 0.17), ("1f3316", "45662a", "8fae55"))
    green = _one(rng, (("16240a", "3f6318", "86a83c"), ("1a2a0e", "4a6b22", "a3b54a"), ("14260f", "2f5c22", "6fa045")))
    picture = _ground(back, materials.turf(rng, green), 1.0, camera, camera.horizon, blur=0.008)
    _haze(picture, camera, green[-1], 0.75)
    picture = defocus(picture, camera, 0.006, 0.5)
    grass.grow(picture, rng, camera, green, metres=0.055, count=11000)
    petals = _one(rng, (("fdfdf5", "f4f0ff"), ("f6d743", "fbe98a"), ("d9527a", "f08ab0", "ffffff")))
    grass.bloom(picture, rng, camera, petals, "e2a51c", metres=0.028, count=int(rng.integers(60, 110)))
    return _finished(picture, rng, camera, 0.5)


def beach(rng: np.random.Generator) -> Background:
    """Sand, surf and the sea."""
    camera = Camera(horizon=rng.uniform(0.27, 0.33), width=1.7)
    shore = camera.horizon + rng.uniform(0.11, 0.15)
    back = backdrops.gradient(_one(rng, SKIES), 0, camera.horizon)
    backdrops.clouds(back, rng, camera.horizon, rng.uniform(0.3, 0.55), "ffffff")
    water = backdrops.gradient(
        _one(rng, (("1f5f8c", "2f8fae", "7fc7c4"), ("2a6f93", "3aa0b5", "a8d8cc"))), camera.horizon, shore
    )
    backdrops.cover(
        back, water, np.asarray((backdrops.rows() - camera.horizon) * backdrops.SIDE + 0 * back[..., 0], np.float32)
    )
    backdrops.surf(back, rng, camera.horizon, shore)
    palette = _one(
        rng, (("b08a5a", "dcbc8c", "f6e3bd"), ("b59a78", "dcc9a8", "f7ecd8"), ("a5845a", "cfae7c", "ecd4a6"))
    )
    tile = materials.sand(rng, palette, ripples=0, height=2.2)
    picture = _ground(back, tile, 1.3, camera, shore, blur=0.004)
    _wet(picture, rng, shore, "7b6a52")
    picture = defocus(picture, camera, 0.006, 0.5)
    return _finished(picture, rng, camera, shore + 0.14)


def snow(rng: np.random.Generator) -> Background:
    """Snow before a wood of firs."""
    camera = Camera(horizon=rng.uniform(0.32, 0.4), width=1.7)
    sky = _one(rng, (("9db7d3", "d7e1ec"), ("5b8fca", "cfe0f0"), ("b9a9c0", "f3d9cc")))
    back = backdrops.gradient(sky, 0, camera.horizon)
    backdrops.ridge(back, rng, camera.horizon + 0.01, 0.2, ("e8eef6", "a9bdd6", "c4d2e4"), 1.4)
    backdrops.firs(back, rng, camera.horizon + 0.012, ("27382f", "5b6f68", "dfe8f0"), 46)
    tile = materials.snow(rng, ("86a0c6", "cfdcee", "fafcff"))
    picture = _ground(back, tile, 1.5, camera, camera.horizon + 0.005, blur=0.007)
    _haze(picture, camera, "e6eef7", 0.8)
    picture = defocus(picture, camera, 0.006, 0.5)
    return _finished(picture, rng, camera, camera.horizon + 0.2)


def wooden_table(rng: np.random.Generator) -> Background:
    """A table of boards, the lights of a room behind it."""
    camera = Camera(
        horizon=rng.uniform(0.14, 0.2), width=0.95, yaw=np.pi / 2 * rng.integers(0, 2) + rng.normal(0, 0.03)
    )
    edge = rng.uniform(0.42, 0.48)
    wall = _one(rng, (("4a3a30", "6b523f", "3a2c22"), ("5a6468", "88949a", "49514f"), ("7a6a58", "b8a48a", "6a5a48")))
    back = backdrops.gradient(wall, 0, edge)
    for _ in range(7):
        left, top = rng.uniform(-0.1, 1), rng.uniform(-0.1, edge - 0.1)
        shade = _one(rng, ("2b221c", "8c6a48", "c9a77c", "4c5a52", "a8b4b0", "6e3f2c"))
        backdrops.box(
            back, left, top, left + rng.uniform(0.04, 0.25), edge + 0.05 if rng.random() < 0.5 else top + 0.16, shade
        )
    backdrops.lights(back, rng, (0, 0, 1, edge), ("ffd9a0", "ffb765", "fff1d8"), 26, 0.035)
    wood = _one(rng, (("3d2413", "7a4a26", "b58250"), ("5a4630", "9b7a52", "d3b488"), ("33261e", "5f4636", "8d6d55")))
    tile = materials.planks(rng, wood, 6)
    picture = _ground(back, tile, 0.8, camera, edge, blur=0.02)
    _reflect(picture, edge, 0.16)
    _edge_line(picture, edge, wood[0])
    picture = defocus(picture, camera, 0.010, 0.62)
    return _finished(picture, rng, camera, edge + 0.14)


def kitchen_floor(rng: np.random.Generator) -> Background:
    """Floor tiles before a row of kitchen cupboards."""
    camera = Camera(horizon=rng.uniform(0.12, 0.2), width=1.7, yaw=rng.choice((0, np.pi / 4)) + rng.normal(0, 0.04))
    foot = rng.uniform(0.38, 0.44)
    front = _one(rng, (("e9e6df", "d9d5cc"), ("8ea39a", "7c9188"), ("3f566b", "34495c"), ("b98d62", "a67c54")))
    back = backdrops.gradient(front, 0, foot)
    doors = int(rng.integers(3, 5))
    for index in range(doors):
        left, right = (index + 0.03) / doors, (index + 0.97) / doors
        backdrops.box(back, left - 0.006, -0.1, right + 0.006, foot - 0.045, "55524c")
        backdrops.box(back, left, -0.1, right, foot - 0.05, front[0])
        backdrops.box(back, left + 0.03, -0.1, right - 0.03, foot - 0.08, front[1])
        handle = right - 0.02 if index % 2 else left + 0.012
        backdrops.box(back, handle, 0.06, handle + 0.009, 0.17, "c9c6c0")
    backdrops.box(back, 0, foot - 0.04, 1, foot, "2e2b28")
    light, dark = ("cfc8ba", "ece7dc", "faf7f0"), ("26262a", "38383e", "56565e")
    grey, clay = ("8f8b84", "b3aea5", "cbc6bc"), ("8a4b2f", "b56a45", "cf8a62")
    palettes = _one(rng, ((light,), (light, dark), (grey,), (clay,)))
    tile = materials.tiles(rng, palettes, _one(rng, ("a7a095", "8c867c")), 4)
    picture = _ground(back, tile, 1.3, camera, foot, blur=0.006)
    _reflect(picture, foot, 0.2)
    _contact(picture, foot)
    picture = defocus(picture, camera, 0.005, 0.62)
    return _finished(picture, rng, camera, foot + 0.16)


def living_room(rng: np.random.Generator) -> Background:
    """A wall, its skirting board and a wooden floor."""
    camera = Camera(horizon=rng.uniform(0.14, 0.22), width=1.8, yaw=rng.choice((0, np.pi / 2)) + rng.normal(0, 0.05))
    foot = rng.uniform(0.40, 0.46)
    wall = _one(
        rng,
        (("d8cdbb", "c7b9a3"), ("a9bcb4", "92a69d"), ("b7c3d3", "9dabbd"), ("d8b9a6", "c4a18c"), ("e6e2da", "cfcac0")),
    )
    back = backdrops.gradient(wall, 0, foot)
    _furniture(back, rng, foot)
    backdrops.box(back, 0, foot - 0.055, 1, foot, "f2efe9")
    backdrops.box(back, 0, foot - 0.058, 1, foot - 0.053, "b9b4aa")
    wood = _one(rng, (("5b3a20", "9a6a3e", "cf9e68"), ("7a5c3c", "b99468", "e3c79e"), ("3b271a", "664429", "94694a")))
    picture = _ground(back, materials.planks(rng, wood, 8, gap=1.8), 1.2, camera, foot, blur=0.006)
    _reflect(picture, foot, 0.14)
    _contact(picture, foot)
    picture = defocus(picture, camera, 0.005, 0.6)
    return _finished(picture, rng, camera, foot + 0.15)


def desert(rng: np.random.Generator) -> Background:
    """Rippled sand, dunes and a hot sky."""
    camera = Camera(horizon=rng.uniform(0.30, 0.38), width=1.9, yaw=rng.normal(0, 0.35))
    sky = _one(rng, (("4f93cf", "a5cbe3", "f0e2c6"), ("e2925c", "f3c48b", "fae3b8"), ("7aa6cc", "d6d9d0", "f6e0b6")))
    back = backdrops.gradient(sky, 0, camera.horizon)
    sands = _one(rng, (("9a5a2c", "d1904f", "f0bf82"), ("a8763f", "d6a868", "f4d7a3"), ("8a4a2a", "c07848", "e6a976")))
    backdrops.ridge(back, rng, camera.horizon + 0.02, 0.15, (sands[2], sands[1]), 2.6)
    backdrops.ridge(back, rng, camera.horizon + 0.02, 0.09, (sands[1], sands[0], sands[1]), 2.6)
    tile = materials.sand(rng, sands, ripples=float(rng.integers(12, 17)), height=3.0)
    picture = _ground(back, tile, 1.4, camera, camera.horizon + 0.01, blur=0.004)
    _haze(picture, camera, sands[2], 0.6)
    picture = defocus(picture, camera, 0.006, 0.5)
    return _finished(picture, rng, camera, camera.horizon + 0.2)


def street(rng: np.random.Generator) -> Background:
    """Cobblestones between the houses of an old town."""
    camera = Camera(horizon=rng.uniform(0.28, 0.35), width=1.7, yaw=rng.normal(0, 0.06))
    evening = rng.random() < 0.4
    back = backdrops.gradient(("27324f", "6a5d74", "d99a6c") if evening else _one(rng, SKIES), 0, camera.horizon)
    backdrops.houses(back, rng, camera.horizon, evening)
    stones = _one(rng, (("4d4843", "7d766e", "aaa196"), ("4a4c52", "74777f", "a3a7ae"), ("5e4a3e", "8b7260", "b59a84")))
    tile = materials.cobbles(rng, stones, "2b2723", 14)
    picture = _ground(back, tile, 1.5, camera, camera.horizon + 0.006, blur=0.009)
    _haze(picture, camera, "6d5a55" if evening else "a9a49c", 0.7)
    picture = defocus(picture, camera, 0.006, 0.5)
    return _finished(picture, rng, camera, camera.horizon + 0.2, warmth=0.05 if evening else 0.0)


def picnic(rng: np.random.Generator) -> Background:
    """A gingham blanket on a lawn."""
    camera = Camera(horizon=rng.uniform(0.17, 0.24), width=1.4, yaw=rng.normal(0, 0.16))
    edge = rng.uniform(0.43, 0.48)
    green = ("14220a", "43671c", "8db04a")
    back = backdrops.gradient(("a8c078", "6f9440", "4f7a28"), 0, edge)
    backdrops.foliage(back, rng, 0.2, 0.3, ("1c3012", "4a6d2a", "a5c06a"), 1300)
    backdrops.lights(back, rng, (0, 0, 1, 0.2), ("f4f7c8", "d8eba0"), 26, 0.03)
    lawn = _ground(back, materials.turf(rng, green), 1.1, camera, camera.horizon, blur=0.014)
    lawn = defocus(lawn, camera, 0.012, 0.6)
    dye = _one(rng, (("b3202a", "f4efe6"), ("2b5c9e", "f1f3f4"), ("2f7a4d", "f4f2e8"), ("c98a1e", "f8f1de")))
    sheet = lay(materials.cloth(rng, *dye, 8), 1.0, camera, SIZE, round(edge * SIZE))
    picture = lawn.copy()
    picture[-len(sheet) :] = sheet
    _edge_line(picture, edge, "1d2c10")
    picture = defocus(picture, camera, 0.008, 0.62)
    return _finished(picture, rng, camera, edge + 0.14)


def rocky_plain(rng: np.random.Generator) -> Background:
    """Gravel and stones before bare mountains."""
    camera = Camera(horizon=rng.uniform(0.30, 0.38), width=1.8)
    back = backdrops.gradient(_one(rng, SKIES), 0, camera.horizon)
    backdrops.clouds(back, rng, camera.horizon, rng.uniform(0.3, 0.6), "fbfbfb")
    rock = _one(rng, (("574e48", "8f857a", "bdb0a0"), ("5e4136", "99705a", "c79f84"), ("4b4e52", "81868a", "b2b6b8")))
    backdrops.ridge(back, rng, camera.horizon + 0.01, 0.22, ("a9b3c2", "8f9cb0", "b3bcc8"), 1.3)
    backdrops.ridge(back, rng, camera.horizon + 0.01, 0.12, (rock[0], rock[1], rock[2]), 1.5)
    tile = materials.pebbles(rng, rock, "332c26", 1100)
    picture = _ground(back, tile, 1.5, camera, camera.horizon + 0.006, blur=0.004)
    _haze(picture, camera, rock[2], 0.6)
    picture = defocus(picture, camera, 0.006, 0.5)
    return _finished(picture, rng, camera, camera.horizon + 0.2)


def autumn(rng: np.random.Generator) -> Background:
    """Fallen leaves in a wood."""
    camera = Camera(horizon=rng.uniform(0.28, 0.36), width=1.3)
    back = backdrops.gradient(("cfd8d0", "e8dcb4", "d8a85a"), 0, camera.horizon)
    golds = _one(rng, (("6a3a10", "c67a1e", "f3c04a"), ("7a2e12", "c8541e", "f09a3c"), ("6b5414", "b8932a", "ead368")))
    backdrops.foliage(back, rng, camera.horizon + 0.01, 0.42, golds, 1500)
    backdrops.trunks(back, rng, camera.horizon + 0.02, -0.1, ("1f1712", "4a3a2e", "7a6652"), 9)
    backdrops.lights(back, rng, (0, 0, 1, camera.horizon - 0.05), ("ffe9a8", "ffd070"), 24, 0.028)
    tile = materials.leaves(rng, ("7a3b12", "c4621a", "e0a02c", "96281b", "b98a34"), ("22170d", "46331e"), 1500)
    picture = _ground(back, tile, 1.15, camera, camera.horizon + 0.006, blur=0.012)
    _haze(picture, camera, golds[1], 0.5)
    picture = defocus(picture, camera, 0.008, 0.5)
    return _finished(picture, rng, camera, camera.horizon + 0.2)


def jetty(rng: np.random.Generator) -> Background:
    """The boards of a jetty, a lake and hills."""
    camera = Camera(horizon=rng.uniform(0.27, 0.33), width=1.6, yaw=np.pi / 2 + rng.normal(0, 0.02))
    edge = camera.horizon + rng.uniform(0.13, 0.17)
    sky = _one(rng, SKIES)
    back = backdrops.gradient(sky, 0, camera.horizon)
    backdrops.clouds(back, rng, camera.horizon, rng.uniform(0.3, 0.5), "ffffff")
    backdrops.ridge(back, rng, camera.horizon, 0.14, ("6f8a9c", "8aa0a8"), 1.8)
    backdrops.foliage(back, rng, camera.horizon, 0.06, ("1d3220", "3c5c34", "6f8a4a"))
    backdrops.lake(back, rng, camera.horizon)
    wood = _one(rng, (("4a423a", "857868", "b8ab98"), ("4c3522", "866040", "b89068"), ("55504a", "908a80", "c4beb2")))
    picture = _ground(back, materials.planks(rng, wood, 8, gap=5), 1.15, camera, edge, blur=0.005)
    _edge_line(picture, edge, "1f1a16")
    picture = defocus(picture, camera, 0.006, 0.55)
    return _finished(picture, rng, camera, edge + 0.14)


SCENES: Mapping[str, tuple[str, Callable[[np.random.Generator], Background]]] = {
    "meadow": ("in a meadow", meadow),
    "beach": ("on a sandy beach", beach),
    "snow": ("in the snow", snow),
    "wooden_table": ("on a wooden table", wooden_table),
    "kitchen_floor": ("on a tiled kitchen floor", kitchen_floor),
    "living_room": ("in a living room", living_room),
    "desert": ("in a desert", desert),
    "street": ("on a cobblestone street", street),
    "picnic": ("on a picnic blanket", picnic),
    "rocky_plain": ("on a rocky plain", rocky_plain),
    "autumn": ("on autumn leaves", autumn),
    "jetty": ("on a wooden jetty", jetty),
}
"""Each scene's phrase and painter."""


def _one(rng: np.random.Generator, choices: Sequence[T]) -> T:
    return choices[int(rng.integers(len(choices)))]


def _ground(back: Backdrop, tile: Rgb, metres: float, camera: Camera, edge: float, *, blur: float) -> Rgb:
    """The backdrop, and from row `edge` down the ground."""
    picture = backdrops.enlarge(back, SIZE, blur)
    ground = lay(tile, metres, camera, SIZE, max(round(edge * SIZE), int(camera.horizon * SIZE) + 2))
    picture[-len(ground) :] = ground
    return picture


def _haze(picture: Rgb, camera: Camera, shade: Colour, amount: float) -> None:
    """Lay the air's colour over the far ground, in place; `amount` at the horizon."""
    first = int(camera.horizon * SIZE) + 1
    near = camera.nearness((np.arange(first, SIZE, dtype=np.float32) + 0.5) / SIZE)
    share = (amount * np.exp(-near / 0.09))[:, None, None].astype(np.float32)
    reach = int((share[:, 0, 0] > 0.004).sum())
    part = picture[first : first + reach]
    part[:] = part + (colour(shade) - part) * share[:reach]


def _reflect(picture: Rgb, edge: float, amount: float) -> None:
    """A polished ground shows what stands behind it, upside down and fading, in place."""
    first = round(edge * SIZE)
    depth = min(first, SIZE - first)
    mirrored = cv2.GaussianBlur(picture[first - depth : first][::-1], (0, 0), SIZE * 0.012)
    share = amount * np.linspace(1, 0.1, depth, dtype=np.float32)[:, None, None]
    part = picture[first : first + depth]
    part[:] = part * (1 - share) + mirrored * share


def _contact(picture: Rgb, edge: float) -> None:
    """The shadow in the corner between a floor and a wall, in place."""
    first, reach = round(edge * SIZE), round(0.035 * SIZE)
    share = 0.5 * np.exp(-np.linspace(0, 4, reach, dtype=np.float32))[:, None, None]
    part = picture[first : first + reach]
    part[:] = part * (1 - share)


def _edge_line(picture: Rgb, edge: float, shade: Colour) -> None:
    """The far edge of a table top or blanket, in place."""
    first = round(edge * SIZE)
    picture[first - 3 : first + 1] = (0.35 * picture[first - 3 : first + 1] + 0.65 * colour(shade)).astype(np.uint8)


def _wet(picture: Rgb, rng: np.random.Generator, edge: float, shade: Colour) -> None:
    """Sand that a wave has just left is darker, in place."""
    first, reach = round(edge * SIZE), round(0.07 * SIZE)
    bend = materials.fractal((1, 2048), rng, 2.0, lowest=1)[0, :SIZE] * 0.12
    depth = np.linspace(0, 1, reach, dtype=np.float32)[:, None] + bend[None, :]
    share = (0.55 * np.clip((0.75 - depth) / 0.35, 0, 1))[..., None]
    part = picture[first : first + reach]
    part[:] = part + (colour(shade) - part) * share


def _furniture(back: Backdrop, rng: np.random.Generator, foot: float) -> None:
    """A framed picture or a sofa against the wall."""
    left = rng.uniform(0.08, 0.55)
    if rng.random() < 0.5:
        backdrops.box(back, left, -0.1, left + 0.3, 0.2, _one(rng, ("4a3524", "2a2a2c", "d9c39a")))
        backdrops.box(back, left + 0.015, -0.1, left + 0.285, 0.185, "f3efe6")
        backdrops.box(back, left + 0.05, -0.1, left + 0.25, 0.15, _one(rng, ("7f9a8a", "b5835a", "6a86a8")))
        return
    cloth, shadow = _one(rng, (("7a8a94", "5a6972"), ("a05a44", "7a4232"), ("6f7f5c", "515e42")))
    backdrops.box(back, left, 0.02, left + 0.5, foot - 0.07, cloth)
    backdrops.box(back, left - 0.03, 0.12, left + 0.04, foot - 0.05, shadow)
    backdrops.box(back, left + 0.46, 0.12, left + 0.53, foot - 0.05, shadow)
    backdrops.box(back, left + 0.04, 0.22, left + 0.46, 0.235, shadow)
    backdrops.box(back, left, foot - 0.075, left + 0.5, foot - 0.05, shadow)


def _finished(
    picture: Rgb, rng: np.random.Generator, camera: Camera, ground: float, *, warmth: float = 0.0
) -> Background:
    """The picture as a camera would give it: light from the upper left, darker corners, a little grain."""
    row = np.linspace(-1, 1, SIZE, dtype=np.float32)[:, None]
    column = row.T
    strength = np.float32(rng.uniform(0.03, 0.08))
    light = (1 - strength * (column * 0.8 + row * 0.3)) * (1 - np.float32(0.13) * (row**2 + column**2) ** 1.5 / 2)
    tint = np.array([1 + warmth, 1, 1 - warmth], np.float32)
    grain = rng.normal(0, 2.2, (SIZE // 2 + 64, SIZE)).astype(np.float32)
    grain = np.concatenate([grain, grain[::-1, ::-1]])[:SIZE]
    lit = picture * light[..., None] * tint + grain[..., None]
    pixels = np.clip(lit, 0, 255).astype(np.uint8)
    return Background(pixels=pixels, horizon=camera.horizon, ground=ground)
