"""Painted outdoor scenes. The variant selects the colours; the rest is drawn from the generator."""

from __future__ import annotations

import numpy as np

from builder.records import Background
from builder.stages.backgrounds import backdrops, grass, litter, materials
from builder.stages.backgrounds.palette import choose, variant_of
from builder.stages.backgrounds.perspective import Camera, defocus
from builder.stages.backgrounds.picture import SIZE, compose, finish, haze, rim, wet

SKIES = (("3f7fc4", "8fbbe3", "dfeaf2"), ("5c93c9", "a9cbe6", "f1ead9"), ("7f9fc0", "b9cadb", "e9e6e0"))


def meadow(rng: np.random.Generator, variant: int) -> Background:
    """Grass with flowers, a wood behind it."""
    camera = Camera(horizon=rng.uniform(0.30, 0.38), width=1.5)
    back = backdrops.gradient(choose(rng, SKIES), 0, camera.horizon)
    backdrops.clouds(back, rng, camera.horizon, rng.uniform(0.35, 0.6), "ffffff")
    backdrops.ridge(back, rng, camera.horizon + 0.01, 0.11, ("7f9a8c", "8fa58a"), 2.0)
    backdrops.foliage(back, rng, camera.horizon + 0.01, rng.uniform(0.08, 0.17), ("1f3316", "45662a", "8fae55"))
    greens = (("1c2e0d", "4d7420", "93b548"), ("22340f", "5a7a2a", "b0be55"), ("1a3012", "3f7030", "86b355"))
    green = variant_of(variant, greens)
    picture = compose(back, materials.turf(rng, green), 1.0, camera, camera.horizon, blur=0.008, loose=rng)
    haze(picture, camera, green[2], 0.8, depth=0.2)
    defocus(picture, camera, 0.006, 0.5)
    grass.grow(picture, rng, camera, green, metres=0.055, count=12000)
    petals = variant_of(variant, (("fdfdf5", "f4f0ff"), ("f6d743", "fbe98a"), ("d9527a", "f08ab0", "ffffff")))
    grass.bloom(picture, rng, camera, petals, "e2a51c", metres=0.028, count=int(rng.integers(60, 110)))
    return finish(picture, rng, camera, 0.5)


def beach(rng: np.random.Generator, variant: int) -> Background:
    """Sand, surf and the sea."""
    camera = Camera(horizon=rng.uniform(0.27, 0.33), width=1.7, yaw=rng.uniform(0.4, 0.8))
    shore = camera.horizon + rng.uniform(0.11, 0.15)
    back = backdrops.gradient(choose(rng, SKIES), 0, camera.horizon)
    backdrops.clouds(back, rng, camera.horizon, rng.uniform(0.3, 0.55), "ffffff")
    water = variant_of(
        variant, (("1f5f8c", "2f8fae", "7fc7c4"), ("2a6f93", "3aa0b5", "a8d8cc"), ("3d6478", "5f8c98", "a9c4c0"))
    )
    backdrops.sea(back, rng, camera.horizon, shore, water)
    sands = (("b08a5a", "dcbc8c", "f6e3bd"), ("b59a78", "dcc9a8", "f7ecd8"), ("a5845a", "cfae7c", "ecd4a6"))
    tile = materials.sand(rng, variant_of(variant, sands), ripples=0, height=2.2)
    picture = compose(back, tile, 1.3, camera, shore, blur=0.004, loose=rng)
    wet(picture, rng, shore, "7b6a52")
    defocus(picture, camera, 0.006, 0.5)
    return finish(picture, rng, camera, shore + 0.14)


def snow(rng: np.random.Generator, variant: int) -> Background:
    """Snow before a wood of firs."""
    camera = Camera(horizon=rng.uniform(0.32, 0.4), width=1.7, yaw=rng.uniform(0.4, 0.8))
    sky = variant_of(variant, (("9db7d3", "d7e1ec"), ("5b8fca", "cfe0f0"), ("b9a9c0", "f3d9cc")))
    back = backdrops.gradient(sky, 0, camera.horizon)
    backdrops.ridge(back, rng, camera.horizon + 0.01, 0.2, ("e8eef6", "a9bdd6", "c4d2e4"), 1.4)
    backdrops.firs(back, rng, camera.horizon + 0.012, ("27382f", "5b6f68", "dfe8f0"), 46)
    tile = materials.snow(rng, ("86a0c6", "cfdcee", "fafcff"))
    picture = compose(back, tile, 1.6, camera, camera.horizon + 0.005, blur=0.007, loose=rng)
    haze(picture, camera, "e6eef7", 0.8)
    defocus(picture, camera, 0.006, 0.5)
    return finish(picture, rng, camera, camera.horizon + 0.2)


def desert(rng: np.random.Generator, variant: int) -> Background:
    """Rippled sand, dunes and a hot sky."""
    camera = Camera(horizon=rng.uniform(0.30, 0.38), width=1.9, yaw=rng.choice((-1, 1)) * rng.uniform(0.25, 0.5))
    sky = variant_of(
        variant, (("4f93cf", "a5cbe3", "f0e2c6"), ("e2925c", "f3c48b", "fae3b8"), ("7aa6cc", "d6d9d0", "f6e0b6"))
    )
    back = backdrops.gradient(sky, 0, camera.horizon)
    sands = variant_of(
        variant, (("9a5a2c", "d1904f", "f0bf82"), ("a8763f", "d6a868", "f4d7a3"), ("8a4a2a", "c07848", "e6a976"))
    )
    backdrops.ridge(back, rng, camera.horizon + 0.02, 0.15, (sands[2], sands[1]), 2.6)
    backdrops.ridge(back, rng, camera.horizon + 0.02, 0.09, (sands[1], sands[0], sands[1]), 2.6)
    tile = materials.sand(rng, sands, ripples=float(rng.integers(11, 15)), height=3.4)
    picture = compose(back, tile, 1.5, camera, camera.horizon + 0.01, blur=0.004, loose=rng)
    haze(picture, camera, sands[2], 0.6)
    defocus(picture, camera, 0.006, 0.5)
    return finish(picture, rng, camera, camera.horizon + 0.2)


def street(rng: np.random.Generator, variant: int) -> Background:
    """Cobblestones between the houses of an old town."""
    camera = Camera(horizon=rng.uniform(0.28, 0.35), width=1.7, yaw=rng.normal(0, 0.06))
    evening = variant % 4 == 3
    sky = ("27324f", "6a5d74", "d99a6c") if evening else choose(rng, SKIES)
    back = backdrops.gradient(sky, 0, camera.horizon)
    backdrops.houses(back, rng, camera.horizon, evening)
    stones = (("6d665f", "97908a", "c2bab0"), ("6a6d74", "959aa3", "c0c5cc"), ("7a6250", "a58a76", "cdb39c"))
    tile = materials.cobbles(rng, variant_of(variant, stones), "57514a", 14)
    picture = compose(back, tile, 1.5, camera, camera.horizon + 0.006, blur=0.009)
    haze(picture, camera, "8a6a58" if evening else "b5afa6", 0.7, depth=0.15)
    defocus(picture, camera, 0.006, 0.5)
    return finish(picture, rng, camera, camera.horizon + 0.2, warmth=0.06 if evening else 0.0)


def picnic(rng: np.random.Generator, variant: int) -> Background:
    """A gingham blanket on a lawn."""
    camera = Camera(horizon=rng.uniform(0.17, 0.24), width=1.4, yaw=rng.choice((-1, 1)) * rng.uniform(0.08, 0.3))
    edge = rng.uniform(0.40, 0.45)
    green = ("23400f", "5c8a26", "a9c95c")
    back = backdrops.gradient(("c5d69a", "8fb04f"), 0, edge)
    backdrops.foliage(back, rng, camera.horizon + 0.02, 0.3, ("1c3012", "4a6d2a", "a5c06a"), 1300)
    backdrops.lights(back, rng, (0, 0, 1, camera.horizon), ("f4f7c8", "d8eba0"), 26, 0.03)
    picture = compose(back, materials.turf(rng, green), 1.1, camera, camera.horizon, blur=0.014, loose=rng)
    haze(picture, camera, green[2], 0.9, depth=0.15)
    grass.grow(picture, rng, camera, green, metres=0.06, count=6000, nearest=0.45)
    defocus(picture, camera, 0.008, 0.62)
    dye = variant_of(variant, (("b3202a", "f4efe6"), ("2b5c9e", "f1f3f4"), ("2f7a4d", "f4f2e8"), ("c98a1e", "f8f1de")))
    sheet = compose(back, materials.cloth(rng, *dye, 8), 1.0, camera, edge, blur=0)
    defocus(sheet, camera, 0.005, 0.62)
    top = round(edge * SIZE)
    picture[top:] = sheet[top:]
    rim(picture, edge, "2b3c18")
    return finish(picture, rng, camera, edge + 0.14)


def rocky_plain(rng: np.random.Generator, variant: int) -> Background:
    """Gravel and stones before bare mountains."""
    camera = Camera(horizon=rng.uniform(0.30, 0.38), width=1.8, yaw=rng.uniform(0.4, 0.8))
    back = backdrops.gradient(choose(rng, SKIES), 0, camera.horizon)
    backdrops.clouds(back, rng, camera.horizon, rng.uniform(0.3, 0.6), "fbfbfb")
    rock = variant_of(
        variant, (("7a7068", "a89e92", "d2c7b8"), ("86604c", "b58c72", "dcb89c"), ("74777b", "a2a7ab", "ccd0d2"))
    )
    backdrops.ridge(back, rng, camera.horizon + 0.01, 0.22, ("a9b3c2", "8f9cb0", "b3bcc8"), 1.3)
    backdrops.ridge(back, rng, camera.horizon + 0.01, 0.12, rock, 1.5)
    tile = litter.gravel(rng, rock, 1100)
    picture = compose(back, tile, 1.5, camera, camera.horizon + 0.006, blur=0.004, loose=rng)
    haze(picture, camera, rock[1], 0.6, depth=0.15)
    defocus(picture, camera, 0.006, 0.5)
    return finish(picture, rng, camera, camera.horizon + 0.2)


def autumn(rng: np.random.Generator, variant: int) -> Background:
    """Fallen leaves in a wood."""
    camera = Camera(horizon=rng.uniform(0.28, 0.36), width=1.3, yaw=rng.uniform(0.4, 0.8))
    back = backdrops.gradient(("cfd8d0", "e8dcb4", "d8a85a"), 0, camera.horizon)
    golds = variant_of(
        variant, (("6a3a10", "c67a1e", "f3c04a"), ("7a2e12", "c8541e", "f09a3c"), ("6b5414", "b8932a", "ead368"))
    )
    backdrops.foliage(back, rng, camera.horizon + 0.01, 0.42, golds, 1500)
    backdrops.trunks(back, rng, camera.horizon + 0.02, ("1f1712", "4a3a2e", "7a6652"), 9)
    backdrops.lights(back, rng, (0, 0, 1, camera.horizon - 0.05), ("ffe9a8", "ffd070"), 24, 0.028)
    tile = litter.leaves(rng, ("8a4316", golds[1], golds[2], "b5331f", "d0a040"), ("2a1d12", "54402a"), 750)
    picture = compose(back, tile, 1.15, camera, camera.horizon + 0.006, blur=0.012, loose=rng)
    haze(picture, camera, golds[2], 0.45, depth=0.2)
    defocus(picture, camera, 0.007, 0.5)
    return finish(picture, rng, camera, camera.horizon + 0.2)


def jetty(rng: np.random.Generator, variant: int) -> Background:
    """The boards of a jetty, a lake and hills."""
    camera = Camera(horizon=rng.uniform(0.27, 0.33), width=1.6, yaw=np.pi / 2 + rng.normal(0, 0.02))
    edge = camera.horizon + rng.uniform(0.13, 0.17)
    back = backdrops.gradient(choose(rng, SKIES), 0, camera.horizon)
    backdrops.clouds(back, rng, camera.horizon, rng.uniform(0.3, 0.5), "ffffff")
    backdrops.ridge(back, rng, camera.horizon, 0.14, ("6f8a9c", "8aa0a8"), 1.8)
    backdrops.foliage(back, rng, camera.horizon, 0.06, ("1d3220", "3c5c34", "6f8a4a"))
    backdrops.lake(back, rng, camera.horizon)
    wood = variant_of(
        variant, (("5a5248", "958878", "c8bba8"), ("5c422e", "967048", "c8a078"), ("65605a", "a09a90", "d4cec2"))
    )
    tile = materials.planks(rng, wood, 10, joints=False, gap=6)
    picture = compose(back, tile, 1.4, camera, edge, blur=0.005)
    rim(picture, edge, "1f1a16")
    defocus(picture, camera, 0.005, 0.55)
    return finish(picture, rng, camera, edge + 0.14)
