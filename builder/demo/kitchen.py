"""Toys for a table or a window sill: mugs, a teapot, a cactus and a mushroom."""

from __future__ import annotations

import numpy as np

from builder.demo.sdf import (
    Distances,
    Points,
    Solid,
    above,
    arc,
    beads,
    box,
    capsule,
    cone,
    cylinder,
    ellipsoid,
    planar,
    sphere,
    torus,
)
from builder.demo.toy import Colours, Part, Places, Toy, linear, plain, where


def mug() -> Toy:
    """A straight blue mug with two white rings, white inside."""
    inside = cylinder(0.54, 0.7, 0.08).at(z=0.8)
    body = cylinder(0.62, 0.68, 0.05).at(z=0.68)
    handle = arc(0.38, 0.09, 120).turn("y", 90).at(x=0.7, z=0.7)
    rings = where(lambda p: np.abs(np.abs(p[2] - 0.7) - 0.32) < 0.05, "f4efe2", "1d4f9e")
    glaze = where(lambda p: (_radius(p) < 0.585) & (p[2] > 0.15), "f4efe2", rings)
    return Toy(
        name="mug",
        class_noun="mug",
        height_cm=10,
        parts=(Part(body.blend(handle, 0.08).carve(inside, 0.05), glaze, 0.9),),
        grounds=("oak", "grass", "felt", "slate"),
        facing=16,
    )


def mug2() -> Toy:
    """A round-bellied yellow mug with white polka dots."""
    belly = ellipsoid(0.78, 0.78, 0.9).at(z=0.62) & box(1, 1, 0.6, 0.1).at(z=0.6)
    hollow = ellipsoid(0.68, 0.68, 0.86).at(z=0.68) & above(0.12)
    handle = arc(0.35, 0.1, 125).turn("y", 95).at(x=0.84, z=0.66)
    body = belly.blend(handle, 0.08).carve(hollow, 0.06)
    outside = where(lambda p: _dots(p, 9, 0.34, 0.105) & (_radius(p) < 0.83), "fbf6ea", "e0a010")
    inside = where(lambda p: hollow.distance(p) < 0.03, "fbf6ea", outside)
    return Toy(
        name="mug2",
        class_noun="mug",
        height_cm=9,
        parts=(Part(body, inside, 0.9),),
        grounds=("slate", "walnut", "blue", "felt"),
        facing=16,
    )


def teapot() -> Toy:
    """A round green teapot with a curved spout, a handle and a lid."""
    body = ellipsoid(0.86, 0.86, 0.66).at(z=0.72)
    spout = capsule((0.55, 0, 0.55), (1.04, 0, 0.8), 0.24, 0.14).blend(
        capsule((1.04, 0, 0.8), (1.3, 0, 1.26), 0.13, 0.085), 0.16
    )
    mouth = capsule((1.28, 0, 1.24), (1.42, 0, 1.5), 0.055)
    handle = arc(0.42, 0.085, 128).turn("y", -82).at(x=-0.88, z=0.84)
    foot = cone(0.5, 0.44, 0.07, 0.03).at(z=0.07)
    lid = ellipsoid(0.46, 0.46, 0.2).at(z=1.29) & above(1.29)
    rim = torus(0.46, 0.045).at(z=1.29)
    knob = sphere(0.11).at(z=1.6).blend(cylinder(0.05, 0.1).at(z=1.5), 0.08)
    band = where(lambda p: (np.abs(p[2] - 0.72) < 0.15) & (_radius(p) < 0.9), _chain, plain("2f8f6b"))
    return Toy(
        name="teapot",
        class_noun="teapot",
        height_cm=16,
        parts=(
            Part((body.blend(spout, 0.12) - mouth).blend(handle, 0.1).blend(foot, 0.06), band, 0.9),
            Part(lid | rim, plain("2f8f6b"), 0.9),
            Part(knob, plain("d9a634"), 0.9),
        ),
        grounds=("linen", "walnut", "sand", "rose"),
    )


def cactus() -> Toy:
    """A ribbed cactus with two arms and a pink flower, in a terracotta pot."""
    pot = cone(0.4, 0.54, 0.32, 0.03).at(z=0.32).blend(cylinder(0.62, 0.12, 0.04).at(z=0.68), 0.03)
    soil = cylinder(0.53, 0.06, 0.02).at(z=0.78)
    stem = _ribbed(capsule((0, 0, 0.8), (0, 0, 2.1), 0.3), 12)
    right, left = (
        capsule((0.2, 0, 1.18), (0.62, 0, 1.3), 0.13).blend(capsule((0.66, 0, 1.34), (0.68, 0, 1.86), 0.15), 0.12),
        capsule((-0.2, 0, 1.44), (-0.56, 0, 1.54), 0.12).blend(capsule((-0.6, 0, 1.58), (-0.62, 0, 2.0), 0.135), 0.12),
    )
    petals = ellipsoid(0.17, 0.09, 0.045).turn("y", -35).at(x=0.15).around(7).at(z=2.44)
    heart = sphere(0.075).at(z=2.46)
    spines = where(_spines, "f3ecc8", _ribs)
    return Toy(
        name="cactus",
        class_noun="cactus",
        height_cm=18,
        parts=(
            Part(pot, plain("b85a34"), 0.15),
            Part(soil, plain("3a2a1f"), 0.0),
            Part(stem.blend(right | left, 0.1), spines, 0.15),
            Part(petals, plain("e2408c"), 0.2),
            Part(heart, plain("f5c52b"), 0.1),
        ),
        grounds=("blue", "gingham", "linen", "oak"),
    )


def mushroom() -> Toy:
    """A toadstool: a red cap with white warts on a cream stem, in a tuft of moss."""
    stem = capsule((0, 0, 0.16), (0, 0, 1.1), 0.3, 0.2)
    skirt = cone(0.36, 0.22, 0.07, 0.03).at(z=0.86)
    dome = ellipsoid(0.92, 0.92, 0.72).at(z=1.02)
    cap = dome.carve(ellipsoid(1.1, 1.1, 0.2).at(z=0.96), 0.1) & above(1.0)
    spots = [_on_dome(137.5 * i, (i + 1) / 14) for i in range(14)]
    warts = (beads(spots[::2], 0.15) | beads(spots[1::2], 0.1)) & dome.grow(0.045)
    moss = beads([(0.31 * np.cos(a), 0.31 * np.sin(a), 0.05) for a in np.linspace(0, 2 * np.pi, 9)], 0.15)
    gills = where(lambda p: (p[2] < 1.16) & (_radius(p) < 0.86), _gills, plain("c1121f"))
    return Toy(
        name="mushroom",
        class_noun="mushroom",
        height_cm=12,
        parts=(
            Part(stem.blend(skirt, 0.04), plain("efe3c8"), 0.15),
            Part(cap, gills, 0.65),
            Part(warts, plain("fbf7ec"), 0.2),
            Part(moss & above(0), plain("5f7f2c"), 0.0),
        ),
        grounds=("grass", "walnut", "felt", "dusk"),
    )


def _on_dome(degrees: float, height: float) -> tuple[float, float, float]:
    """A point on the mushroom's cap; height 0 is near the rim, 1 is the top, and equal steps enclose equal areas."""
    angle, rise = np.radians(degrees), np.arcsin(0.15 + 0.85 * height)
    return 0.92 * np.cos(rise) * np.cos(angle), 0.92 * np.cos(rise) * np.sin(angle), 1.02 + 0.72 * np.sin(rise)


def _radius(p: Points) -> Distances:
    return planar(p[0], p[1])


def _dots(p: Points, count: int, spacing: float, radius: float) -> Places:
    """Select round dots, in staggered rows on an upright cylinder of about radius 0.75."""
    row = np.round((p[2] - 0.2) / spacing)
    around = np.arctan2(p[1], p[0]) / (2 * np.pi) * count + 0.5 * (row % 2)
    x = (around - np.round(around)) * (2 * np.pi / count) * 0.75
    z = p[2] - 0.2 - row * spacing
    return np.asarray(planar(x, z) < radius)


def _chain(p: Points) -> Colours:
    """Two cream lines with a row of lozenges between them."""
    around = np.arctan2(p[1], p[0]) / (2 * np.pi) * 18
    lozenge = np.abs(around - np.round(around)) / 0.36 + np.abs(p[2] - 0.72) / 0.08 < 1
    line = np.abs(np.abs(p[2] - 0.72) - 0.13) < 0.02
    return np.where(lozenge | line, linear("f0e6c4"), linear("1f6b50"))


def _ribbed(rod: Solid, ribs: int) -> Solid:
    """An upright rod with ribs; its field is scaled down, because the ribs make it steeper than a true distance."""

    def distance(p: Points) -> Distances:
        # The ribs fade out near the axis, where they would run together at the top.
        height = 0.025 * np.minimum(_radius(p) / 0.2, 1) * np.cos(ribs * np.arctan2(p[1], p[0]))
        return np.asarray(0.7 * (rod.distance(p) - height), np.float32)

    return Solid(distance)


def _ribs(p: Points) -> Colours:
    """Dark green in the grooves of the stem, lighter on its ribs."""
    crest = np.where(_radius(p) < 0.4, np.cos(12 * np.arctan2(p[1], p[0])), 0.5)
    return np.asarray(linear("2c6a34") + (linear("5fa84f") - linear("2c6a34")) * (0.5 + 0.5 * crest), np.float32)


def _spines(p: Points) -> Places:
    """Select the spines: small stars on the crests of the stem."""
    around = np.arctan2(p[1], p[0]) / (2 * np.pi) * 12
    across = (around - np.round(around)) * 0.17
    up = p[2] / 0.16 + 0.5 * (np.round(around) % 2)
    along = (up - np.round(up)) * 0.16
    return np.asarray((np.abs(across) + np.abs(along) < 0.026) & (_radius(p) < 0.4) & (p[2] < 2.3))


def _gills(p: Points) -> Colours:
    """Fine dark lines under the mushroom's cap, towards its stem."""
    return np.asarray(linear("e8d3b0") * (0.85 + 0.15 * np.cos(40 * np.arctan2(p[1], p[0]))), np.float32)
