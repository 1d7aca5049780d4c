"""Painted indoor scenes. The variant selects the colours; the rest is drawn from the generator."""

from __future__ import annotations

import numpy as np

from builder.records import Background
from builder.stages.backgrounds import backdrops, materials
from builder.stages.backgrounds.backdrops import Backdrop, box
from builder.stages.backgrounds.palette import choose, variant_of
from builder.stages.backgrounds.perspective import Camera, defocus
from builder.stages.backgrounds.picture import compose, corner, finish, reflect, rim


def wooden_table(rng: np.random.Generator, variant: int) -> Background:
    """A table of long boards, the lights of a room behind it."""
    camera = Camera(horizon=rng.uniform(0.14, 0.2), width=0.95, yaw=np.pi / 2 * (variant % 2) + rng.normal(0, 0.02))
    edge = rng.uniform(0.42, 0.48)
    wall = variant_of(
        variant, (("4a3a30", "6b523f", "3a2c22"), ("5a6468", "88949a", "49514f"), ("7a6a58", "b8a48a", "6a5a48"))
    )
    back = backdrops.gradient(wall, 0, edge)
    for _ in range(9):
        left, top = rng.uniform(-0.1, 1), rng.uniform(-0.1, edge - 0.1)
        shade = choose(rng, ("2b221c", "8c6a48", "c9a77c", "4c5a52", "a8b4b0", "6e3f2c"))
        foot = edge + 0.05 if rng.random() < 0.5 else top + rng.uniform(0.08, 0.2)
        box(back, left, top, left + rng.uniform(0.04, 0.22), foot, shade)
    backdrops.lights(back, rng, (0, 0, 1, edge), ("ffd9a0", "ffb765", "fff1d8"), 26, 0.035)
    wood = variant_of(
        variant, (("4d2e18", "8f5a30", "c8945e"), ("6a5438", "ab8a5e", "dcbf94"), ("3f2f25", "6f5340", "9d7a60"))
    )
    tile = materials.planks(rng, wood, 7, joints=False, gap=2)
    picture = compose(back, tile, 1.0, camera, edge, blur=0.017)
    reflect(picture, edge, 0.2)
    rim(picture, edge, wood[0])
    defocus(picture, camera, 0.008, 0.62)
    return finish(picture, rng, camera, edge + 0.14)


def kitchen_floor(rng: np.random.Generator, variant: int) -> Background:
    """Floor tiles before a row of kitchen cupboards."""
    camera = Camera(horizon=rng.uniform(0.12, 0.2), width=1.7, yaw=rng.choice((0, np.pi / 4)) + rng.normal(0, 0.04))
    foot = rng.uniform(0.38, 0.44)
    back = backdrops.gradient(("55524c", "55524c"), 0, foot)
    front = variant_of(
        variant, (("e9e6df", "d9d5cc"), ("8ea39a", "7c9188"), ("3f566b", "34495c"), ("b98d62", "a67c54"))
    )
    _cupboards(back, front, foot, int(rng.integers(3, 5)))
    light, dark = ("cfc8ba", "ece7dc", "faf7f0"), ("26262a", "38383e", "56565e")
    grey, clay = ("8f8b84", "b3aea5", "cbc6bc"), ("8a4b2f", "b56a45", "cf8a62")
    palettes = variant_of(variant, ((light,), (light, dark), (grey,), (clay,)))
    tile = materials.tiles(rng, palettes, choose(rng, ("a7a095", "8c867c")), 4)
    picture = compose(back, tile, 1.3, camera, foot, blur=0.005)
    reflect(picture, foot, 0.2)
    corner(picture, foot)
    defocus(picture, camera, 0.005, 0.62)
    return finish(picture, rng, camera, foot + 0.16)


def living_room(rng: np.random.Generator, variant: int) -> Background:
    """A wall with a picture or a sofa, its skirting board and a wooden floor."""
    camera = Camera(horizon=rng.uniform(0.14, 0.22), width=1.8, yaw=rng.choice((0, np.pi / 2)) + rng.normal(0, 0.05))
    foot = rng.uniform(0.40, 0.46)
    walls = (
        ("d8cdbb", "c7b9a3"),
        ("a9bcb4", "92a69d"),
        ("b7c3d3", "9dabbd"),
        ("d8b9a6", "c4a18c"),
        ("e6e2da", "cfcac0"),
    )
    back = backdrops.gradient(variant_of(variant, walls), 0, foot)
    box(back, 0, foot - 0.055, 1, foot, "f2efe9")
    box(back, 0, foot - 0.058, 1, foot - 0.053, "b9b4aa")
    if variant % 2:
        _framed_picture(back, rng)
    else:
        _sofa(back, rng, foot)
    wood = variant_of(
        variant, (("5b3a20", "9a6a3e", "cf9e68"), ("7a5c3c", "b99468", "e3c79e"), ("3b271a", "664429", "94694a"))
    )
    picture = compose(back, materials.planks(rng, wood, 11, gap=1.8), 1.6, camera, foot, blur=0.005)
    reflect(picture, foot, 0.14)
    corner(picture, foot)
    defocus(picture, camera, 0.005, 0.6)
    return finish(picture, rng, camera, foot + 0.15)


def _cupboards(back: Backdrop, front: tuple[str, str], foot: float, doors: int) -> None:
    for index in range(doors):
        left, right = (index + 0.03) / doors, (index + 0.97) / doors
        box(back, left, -0.1, right, foot - 0.05, front[0])
        box(back, left + 0.03, -0.1, right - 0.03, foot - 0.08, front[1])
        handle = right - 0.02 if index % 2 == 0 else left + 0.012
        box(back, handle, 0.06, handle + 0.009, 0.17, "c9c6c0")
    box(back, 0, foot - 0.04, 1, foot, "2e2b28")


def _framed_picture(back: Backdrop, rng: np.random.Generator) -> None:
    left = rng.uniform(0.08, 0.6)
    box(back, left, -0.1, left + 0.3, 0.2, choose(rng, ("4a3524", "2a2a2c", "d9c39a")))
    box(back, left + 0.015, -0.1, left + 0.285, 0.185, "f3efe6")
    box(back, left + 0.05, -0.1, left + 0.25, 0.15, choose(rng, ("7f9a8a", "b5835a", "6a86a8")))


def _sofa(back: Backdrop, rng: np.random.Generator, foot: float) -> None:
    """From the left: arm, two seats under two cushions, arm; on short legs."""
    left = rng.uniform(0.04, 0.3)
    light, cloth, dark = choose(
        rng, (("8b9ba5", "7a8a94", "5a6972"), ("b16b55", "a05a44", "7a4232"), ("80906d", "6f7f5c", "515e42"))
    )
    for leg in (0.02, 0.62):
        box(back, left + leg, foot - 0.04, left + leg + 0.02, foot + 0.01, "3a2a1e")
    box(back, left, 0.06, left + 0.66, foot - 0.04, dark)
    for cushion in (0.06, 0.335):
        box(back, left + cushion, 0.05, left + cushion + 0.265, 0.24, cloth)
        box(back, left + cushion, 0.25, left + cushion + 0.265, 0.31, light)
    for arm in (-0.03, 0.61):
        box(back, left + arm, 0.15, left + arm + 0.08, foot - 0.04, cloth)
        box(back, left + arm, 0.15, left + arm + 0.08, 0.17, light)
