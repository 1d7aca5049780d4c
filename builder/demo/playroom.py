"""Toys for a playroom: balls, a duck, a car, a robot, a snowman and a rocket."""

from __future__ import annotations

import numpy as np

from builder.demo.sdf import (
    Distances,
    Points,
    Solid,
    above,
    beads,
    box,
    capsule,
    cone,
    cylinder,
    ellipsoid,
    norm,
    planar,
    sphere,
    torus,
    union,
)
from builder.demo.toy import Colours, Part, Places, Toy, linear, plain, where


def ball() -> Toy:
    """A beach ball: six coloured wedges and white poles."""
    wedges = np.concatenate([linear(text) for text in ("d8232a", "f6f2e8", "1f62b8", "f2b51c", "f6f2e8", "2c9a4b")], 1)

    def colours(p: Points) -> Colours:
        wedge = np.floor((np.arctan2(p[1], p[0]) / (2 * np.pi) + 0.5) * 6).astype(np.intp) % 6
        return np.where(np.abs(p[2]) > 0.765, linear("f6f2e8"), wedges[:, wedge])

    return Toy(
        name="ball",
        class_noun="ball",
        height_cm=14,
        parts=(Part(sphere(0.8).at(z=0.8), lambda p: colours(_rolled(p)), 0.7),),
        grounds=("grass", "felt", "dusk", "slate"),
    )


def ball2() -> Toy:
    """A basketball: orange, with black seams in grooves."""

    def seams(p: Points) -> Distances:
        curved = planar(np.abs(p[0]) - 0.92, p[2]) - 0.52
        return np.asarray(np.minimum(np.minimum(np.abs(p[0]), np.abs(p[2])), np.abs(curved)), np.float32)

    def leather(p: Points) -> Distances:
        groove = 0.02 * np.clip(1 - seams(_rolled(p)) / 0.04, 0, 1)
        return np.asarray(smooth.distance(p) + groove, np.float32)

    smooth = sphere(0.8).at(z=0.8)
    return Toy(
        name="ball2",
        class_noun="ball",
        height_cm=20,
        parts=(Part(Solid(leather), where(lambda p: seams(_rolled(p)) < 0.018, "1c1714", "d2601a"), 0.3),),
        grounds=("slate", "tiles", "grass", "blue"),
    )


def _rolled(p: Points) -> Points:
    """Points in the tilted coordinates of a ball of radius 0.8 that rests on the ground."""
    tilt = np.array([[0.874, 0.485, -0.025], [-0.381, 0.717, 0.584], [0.301, -0.501, 0.812]], np.float32)
    return tilt @ (p - np.array([[0], [0], [0.8]], np.float32))


def duck() -> Toy:
    """A yellow rubber duck with an orange beak."""
    body = ellipsoid(0.66, 0.86, 0.54).at(z=0.46)
    tail = capsule((0, 0.62, 0.62), (0, 1.0, 0.98), 0.24, 0.07)
    head = sphere(0.46).at(y=-0.42, z=1.3)
    wings = ellipsoid(0.16, 0.46, 0.28).turn("x", 18).at(x=0.6, y=0.12, z=0.62).mirror()
    shape = body.blend(tail, 0.3).blend(head, 0.22).blend(wings, 0.06) & above(0)
    upper = ellipsoid(0.25, 0.26, 0.075).turn("x", -14).at(y=-0.9, z=1.28)
    lower = ellipsoid(0.19, 0.2, 0.06).turn("x", 12).at(y=-0.86, z=1.18)
    eye = ellipsoid(0.075, 0.06, 0.105).at(x=0.19, y=-0.8, z=1.45).mirror()
    glint = sphere(0.028).at(x=0.205, y=-0.86, z=1.49).mirror()
    return Toy(
        name="duck",
        class_noun="duck",
        height_cm=9,
        parts=(
            Part(shape, plain("f2b90f"), 0.6),
            Part(upper.blend(lower, 0.03), plain("e2580f"), 0.6),
            Part(eye, plain("14110f"), 1.0),
            Part(glint, plain("ffffff"), 0.5),
        ),
        grounds=("tiles", "blue", "grass", "dusk"),
        facing=-38,
    )


def car() -> Toy:
    """A red toy car with a cream roof, driving to the right."""
    hull = box(1.15, 0.5, 0.24, 0.16).at(z=0.46)
    cabin = Solid(_cabin).at(x=-0.12, z=0.86)
    wheels = _axles(cylinder(0.27, 0.58, 0.05)) - box(2, 0.34, 1)
    hubs = _axles(cylinder(0.13, 0.59, 0.03))
    arches = _axles(cylinder(0.34, 0.9)) - box(2, 0.3, 1)
    lamps = ellipsoid(0.06, 0.1, 0.1).at(1.13, -0.3, 0.52) | ellipsoid(0.06, 0.1, 0.1).at(1.13, 0.3, 0.52)
    tails = ellipsoid(0.05, 0.09, 0.07).at(-1.13, -0.32, 0.54) | ellipsoid(0.05, 0.09, 0.07).at(-1.13, 0.32, 0.54)
    bumpers = box(0.06, 0.5, 0.06, 0.05).at(-1.15, 0, 0.3) | box(0.06, 0.5, 0.06, 0.05).at(1.15, 0, 0.3)
    return Toy(
        name="car",
        class_noun="car",
        height_cm=8,
        parts=(
            Part(hull - arches, where(lambda p: np.abs(p[2] - 0.5) < 0.025, "f4ead2", "c8161d"), 0.9),
            Part(cabin, _glazing, 0.9),
            Part(wheels, plain("1a1a1c"), 0.15),
            Part(hubs | bumpers, plain("c9ccd0"), 0.9),
            Part(lamps, plain("fff0b0"), 1.0),
            Part(tails, plain("7c0d10"), 1.0),
        ),
        grounds=("blue", "felt", "grass", "oak"),
        facing=20,
    )


def robot() -> Toy:
    """A tin robot with lamp eyes, a dial on its chest and an antenna."""
    trunk = box(0.5, 0.34, 0.46, 0.07).at(z=1.06)
    head = box(0.38, 0.3, 0.28, 0.07).at(z=1.9)
    neck = cylinder(0.14, 0.12).at(z=1.57)
    limbs = union(
        capsule((0.52, 0, 1.36), (0.74, 0, 1.1), 0.1).blend(capsule((0.74, 0, 1.1), (0.74, -0.14, 0.8), 0.1), 0.04),
        cylinder(0.13, 0.22).at(x=0.25, z=0.42),
    ).mirror()
    joints = union(sphere(0.16).at(0.52, 0, 1.36), torus(0.13, 0.05).turn("x", 60).at(0.74, -0.17, 0.72)).mirror()
    feet = box(0.2, 0.3, 0.12, 0.06).at(0.26, -0.07, 0.12).mirror()
    eyes = cylinder(0.115, 0.05, 0.02).turn("x", 90).at(0.16, -0.3, 1.96).mirror()
    ears = cylinder(0.1, 0.07, 0.02).turn("y", 90).at(0.42, 0, 1.92).mirror()
    panel = box(0.34, 0.03, 0.25, 0.02).at(0, -0.345, 1.12)
    rod = cylinder(0.025, 0.16).at(z=2.3)
    tip = sphere(0.085).at(z=2.5)
    tin, trim = plain("2f8c9a"), plain("d9641a")
    return Toy(
        name="robot",
        class_noun="robot",
        height_cm=20,
        parts=(
            Part(union(trunk, head), where(_mouth, "23282b", tin), 0.7),
            Part(union(neck, limbs, rod), plain("59646b"), 0.8),
            Part(union(joints, feet, ears), trim, 0.7),
            Part(eyes, where(lambda p: planar(np.abs(p[0]) - 0.16, p[2] - 1.96) < 0.05, "141414", "ffe46b"), 0.9),
            Part(panel, _dials, 0.5),
            Part(tip, plain("c8161d"), 0.9),
        ),
        grounds=("linen", "sand", "oak", "rose"),
    )


def snowman() -> Toy:
    """A snowman with a top hat, a carrot nose and a striped scarf."""
    snow = sphere(0.62).at(z=0.56).blend(sphere(0.47).at(z=1.3), 0.1).blend(sphere(0.36).at(z=1.92), 0.06) & above(0)
    hat = cylinder(0.44, 0.035, 0.03).at(z=2.18) | cone(0.27, 0.3, 0.22, 0.03).at(z=2.4)
    band = cylinder(0.292, 0.05).at(z=2.27)
    nose = capsule((0, -0.33, 1.92), (0, -0.68, 1.88), 0.085, 0.02)
    smile = beads([(0.16 * np.sin(a), -0.335, 1.9 - 0.14 * np.cos(a)) for a in np.linspace(-1, 1, 5)], 0.03)
    eyes = [(-0.13, -0.325, 2.03), (0.13, -0.325, 2.03)]
    buttons = [(0.0, -0.455, 1.42), (0.0, -0.47, 1.22), (0.0, -0.585, 0.8)]
    coal = smile | beads(eyes + buttons, 0.054)
    scarf = torus(0.33, 0.1).at(z=1.64).blend(box(0.12, 0.04, 0.3, 0.03).turn("x", -12).at(0.2, -0.45, 1.36), 0.05)
    arms = union(
        capsule((0.4, 0, 1.4), (0.98, -0.05, 1.72), 0.04, 0.03),
        capsule((0.8, -0.03, 1.62), (0.86, -0.1, 1.82), 0.025, 0.02),
        capsule((0.8, -0.03, 1.62), (1.02, -0.02, 1.56), 0.025, 0.02),
    ).mirror()
    return Toy(
        name="snowman",
        class_noun="snowman",
        height_cm=15,
        parts=(
            Part(snow, plain("eef2f6"), 0.15),
            Part(hat, plain("1b1b20"), 0.25),
            Part(band, plain("b3151c"), 0.2),
            Part(nose, plain("e8731a"), 0.2),
            Part(coal, plain("15151a"), 0.4),
            Part(scarf, _knit, 0.0),
            Part(arms, plain("5a3a22"), 0.1),
        ),
        grounds=("dusk", "walnut", "felt", "grass"),
    )


def rocket() -> Toy:
    """A white rocket with a red nose and fins, and a round window."""
    hull = ellipsoid(0.6, 0.6, 1.4).at(z=1.2) & above(0.35)
    nozzle = cone(0.36, 0.3, 0.12, 0.02).at(z=0.27)
    fin = (ellipsoid(0.62, 0.06, 0.72).at(0.46, 0, 0.5) & above(0)) - sphere(0.36).at(0.5, 0, -0.1)
    ring = torus(0.23, 0.06).turn("x", 80).at(0, -0.565, 1.56)
    glass = ellipsoid(0.22, 0.07, 0.22).at(0, -0.56, 1.56)
    paint = where(lambda p: p[2] > 2.05, "c8161d", where(lambda p: np.abs(p[2] - 0.86) < 0.06, "1f4f9c", "efeae0"))
    return Toy(
        name="rocket",
        class_noun="rocket",
        height_cm=24,
        parts=(
            Part(hull, paint, 0.8),
            Part(nozzle, plain("4a4d52"), 0.7),
            Part(fin.around(3).turn("z", 30), plain("c8161d"), 0.8),
            Part(ring, plain("d9a634"), 0.9),
            Part(glass, plain("3f86c4"), 1.0),
        ),
        grounds=("felt", "grass", "dusk", "walnut"),
    )


def _cabin(p: Points) -> Distances:
    """A car's cabin: a rounded box that narrows upwards."""
    narrow = np.clip(1 - 0.32 * (p[2] + 0.3), 0.6, 1.1)
    q = np.stack([np.abs(p[0]) / narrow - 0.52, np.abs(p[1]) / np.sqrt(narrow) - 0.34, np.abs(p[2]) - 0.2])
    distance = norm(np.maximum(q, 0)) + np.minimum(q.max(0), 0) - 0.1
    # The slanted sides make the field steeper than a true distance.
    return np.asarray(0.8 * distance, np.float32)


def _axles(roller: Solid) -> Solid:
    """Two copies of an upright cylinder, laid across the car at its axles."""
    across = roller.turn("x", 90)
    return across.at(x=-0.66, z=0.27) | across.at(x=0.68, z=0.27)


def _glazing(p: Points) -> Colours:
    """Dark windows between the posts of the car's cabin, under a cream roof."""
    x, narrow = p[0] + 0.12, 1 - 0.32 * (p[2] - 0.56)
    height = (p[2] > 0.74) & (p[2] < 1.03)
    side = (np.abs(p[1]) > 0.36 * np.sqrt(narrow)) & (np.abs(np.abs(x) - 0.25 * narrow) < 0.2 * narrow)
    front = (np.abs(x) > 0.52 * narrow) & (np.abs(p[1]) < 0.32)
    roof = np.where(p[2] > 1.06, linear("f4ead2"), linear("c8161d"))
    return np.where(height & (side | front), linear("16222e"), roof)


def _mouth(p: Points) -> Places:
    """Select the bars of the grille on the robot's face."""
    bars = np.abs(p[0] / 0.09 - np.round(p[0] / 0.09)) < 0.33
    return np.asarray((p[1] < -0.29) & (np.abs(p[2] - 1.74) < 0.05) & (np.abs(p[0]) < 0.225) & bars)


def _dials(p: Points) -> Colours:
    """A gauge with a needle, and three buttons, on the robot's chest."""
    x, z = p[0], p[2]
    gauge = planar(x + 0.13, z - 1.18)
    needle = (np.abs((x + 0.13) * 0.8 - (z - 1.14) * 0.6) < 0.014) & (z > 1.13) & (gauge < 0.11)
    colours = np.broadcast_to(linear("23282b"), p.shape)
    colours = np.where(gauge < 0.13, linear("f3ead0"), colours)
    colours = np.where(needle, linear("c8161d"), colours)
    for row, text in ((1.27, "c8161d"), (1.13, "f2b51c"), (0.99, "2c9a4b")):
        colours = np.where(planar(x - 0.2, z - row) < 0.05, linear(text), colours)
    return np.where((np.abs(z - 0.97) < 0.025) & (np.abs(x + 0.13) < 0.13), linear("3f86c4"), colours)


def _knit(p: Points) -> Colours:
    """Stripes around the neck and down the hanging end."""
    hanging = p[2] < 1.52
    along = np.where(hanging, p[2] / 0.13, np.arctan2(p[1], p[0]) / 0.35)
    return np.where(np.floor(along) % 2 == 0, linear("b3151c"), linear("2f7d4a"))
