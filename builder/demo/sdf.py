"""Solids as signed distance fields: the distance of a point from the surface, negative inside.

The formulas are Inigo Quilez's (https://iquilezles.org/articles/distfunctions/); z points up. Some are bounds rather
than exact distances; they are safe for sphere tracing with slightly shortened steps.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float32]
"""float32 [3, N]: x, y, z of each point."""
Distances = NDArray[np.float32]
"""float32 [N]."""
Point = tuple[float, float, float]
"""x, y, z."""

CHUNK = 32768
"""Points evaluated together: few enough for their arrays to stay in the processor's cache."""


@dataclass(frozen=True, slots=True)
class Solid:
    """A solid, given by its distance field. `a | b` is the union, `a - b` the difference, `a & b` the intersection."""

    distance: Callable[[Points], Distances]

    def __or__(self, other: Solid) -> Solid:
        return Solid(lambda p: np.minimum(self.distance(p), other.distance(p)))

    def __sub__(self, other: Solid) -> Solid:
        return Solid(lambda p: np.maximum(self.distance(p), -other.distance(p)))

    def __and__(self, other: Solid) -> Solid:
        return Solid(lambda p: np.maximum(self.distance(p), other.distance(p)))

    def blend(self, other: Solid, radius: float) -> Solid:
        """The union with a fillet about `radius` wide (Quilez's quadratic smooth minimum)."""

        def distance(p: Points) -> Distances:
            a, b = self.distance(p), other.distance(p)
            near = np.maximum(radius - np.abs(a - b), 0)
            return np.asarray(np.minimum(a, b) - near * near * (0.25 / radius), np.float32)

        return Solid(distance)

    def carve(self, other: Solid, radius: float) -> Solid:
        """`self - other` with the new edge rounded."""

        def distance(p: Points) -> Distances:
            a, b = self.distance(p), -other.distance(p)
            near = np.maximum(radius - np.abs(a - b), 0)
            return np.asarray(np.maximum(a, b) + near * near * (0.25 / radius), np.float32)

        return Solid(distance)

    def at(self, x: float = 0, y: float = 0, z: float = 0) -> Solid:
        """The solid translated by x, y and z."""
        offset = np.array([[x], [y], [z]], np.float32)
        return Solid(lambda p: self.distance(p - offset))

    def turn(self, axis: Literal["x", "y", "z"], degrees: float) -> Solid:
        """The solid rotated about an axis, counter-clockwise when the axis points at the viewer."""
        i, j = {"x": (1, 2), "y": (2, 0), "z": (0, 1)}[axis]
        inverse = np.eye(3, dtype=np.float32)
        c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
        inverse[i, i], inverse[i, j], inverse[j, i], inverse[j, j] = c, s, -s, c
        return Solid(lambda p: self.distance(inverse @ p))

    def grow(self, radius: float) -> Solid:
        """The solid made thicker by `radius` everywhere, with rounded edges."""
        return Solid(lambda p: self.distance(p) - np.float32(radius))

    def mirror(self) -> Solid:
        """The half at x > 0 and its mirror image."""
        return Solid(lambda p: self.distance(np.stack([np.abs(p[0]), p[1], p[2]])))

    def around(self, count: int) -> Solid:
        """The solid repeated `count` times about the z axis; the original is on the x axis."""
        sector = np.float32(2 * np.pi / count)

        def distance(p: Points) -> Distances:
            angle = np.arctan2(p[1], p[0])
            angle -= sector * np.round(angle / sector)
            radius = planar(p[0], p[1])
            return self.distance(np.stack([radius * np.cos(angle), radius * np.sin(angle), p[2]]))

        return Solid(distance)


def sphere(radius: float) -> Solid:
    """A ball around the origin."""
    return Solid(lambda p: norm(p) - np.float32(radius))


def ellipsoid(x: float, y: float, z: float) -> Solid:
    """An ellipsoid with these half axes (a bound)."""
    axes = np.array([[x], [y], [z]], np.float32)

    def distance(p: Points) -> Distances:
        scaled = p / axes
        near = norm(scaled)
        return np.asarray(near * (near - 1) / np.maximum(norm(scaled / axes), 1e-6), np.float32)

    return Solid(distance)


def box(x: float, y: float, z: float, rounding: float = 0) -> Solid:
    """A box with these half sides and rounded edges."""
    half = np.array([[x - rounding], [y - rounding], [z - rounding]], np.float32)

    def distance(p: Points) -> Distances:
        q = np.abs(p) - half
        inside = np.minimum(np.maximum(q[0], np.maximum(q[1], q[2])), 0)
        return np.asarray(norm(np.maximum(q, 0)) + inside - np.float32(rounding), np.float32)

    return Solid(distance)


def cylinder(radius: float, half: float, rounding: float = 0) -> Solid:
    """An upright cylinder, `2 * half` high, its edges rounded."""
    return cone(radius, radius, half, rounding)


def cone(bottom: float, top: float, half: float, rounding: float = 0) -> Solid:
    """An upright cone cut flat: radius `bottom` at z = -half, `top` at z = half, its edges rounded."""
    r1, r2, h = bottom - rounding, top - rounding, half - rounding
    slope = np.hypot(r2 - r1, 2 * h)
    rise, run = np.float32((r2 - r1) / slope), np.float32(2 * h / slope)

    def distance(p: Points) -> Distances:
        r = planar(p[0], p[1])
        # Distances beyond the slanted side and beyond the nearer cap.
        side = (r - np.float32((r1 + r2) / 2)) * run - p[2] * rise
        cap = np.abs(p[2]) - np.float32(h)
        outside = planar(np.maximum(side, 0), np.maximum(cap, 0))
        return np.asarray(outside + np.minimum(np.maximum(side, cap), 0) - np.float32(rounding), np.float32)

    return Solid(distance)


def torus(radius: float, thickness: float) -> Solid:
    """A horizontal ring; `radius` is measured to the middle of its tube."""
    return Solid(lambda p: planar(planar(p[0], p[1]) - np.float32(radius), p[2]) - np.float32(thickness))


def capsule(start: Point, end: Point, radius: float, end_radius: float | None = None) -> Solid:
    """A rod with round ends, tapering from `radius` to `end_radius`."""
    a, ab = np.array([start], np.float32).T, np.array([end], np.float32).T - np.array([start], np.float32).T
    scale = np.float32(1 / (ab * ab).sum())
    taper = np.float32((radius if end_radius is None else end_radius) - radius)

    def distance(p: Points) -> Distances:
        q = p - a
        share = np.clip((q[0] * ab[0] + q[1] * ab[1] + q[2] * ab[2]) * scale, 0, 1)
        return np.asarray(norm(q - ab * share) - (np.float32(radius) + taper * share), np.float32)

    return Solid(distance)


def arc(radius: float, thickness: float, degrees: float) -> Solid:
    """A bent rod with round ends: the part of a ring in the xz plane within `degrees` of the z axis, on both sides."""
    sine, cosine = np.float32(np.sin(np.radians(degrees))), np.float32(np.cos(np.radians(degrees)))
    wide, ring = np.float32(2 * radius), np.float32(radius * radius)

    def distance(p: Points) -> Distances:
        x = np.abs(p[0])
        flat = x * x + p[2] * p[2]
        along = np.where(cosine * x > sine * p[2], x * sine + p[2] * cosine, np.sqrt(flat))
        return np.asarray(
            np.sqrt(np.maximum(flat + p[1] * p[1] + ring - wide * along, 0)) - np.float32(thickness), np.float32
        )

    return Solid(distance)


def beads(centres: Sequence[Point], radius: float) -> Solid:
    """Balls of one radius around these centres."""
    middles = np.array(centres, np.float32)
    squares, twice = (middles * middles).sum(1, keepdims=True), 2 * middles

    def distance(p: Points) -> Distances:
        # |p - c|^2 = |p|^2 + |c|^2 - 2 p.c; only the last two terms depend on the centre.
        nearest = (squares - twice @ p).min(0) + (p * p).sum(0)
        return np.asarray(np.sqrt(np.maximum(nearest, 0)) - np.float32(radius), np.float32)

    return Solid(distance)


def above(height: float) -> Solid:
    """The half space above a height."""
    return Solid(lambda p: np.float32(height) - p[2])


def union(*solids: Solid) -> Solid:
    """The union of all solids."""

    def distance(p: Points) -> Distances:
        nearest = solids[0].distance(p)
        for solid in solids[1:]:
            nearest = np.minimum(nearest, solid.distance(p))
        return nearest

    return Solid(distance)


def norm(p: Points) -> Distances:
    """The length of each vector [3, N]."""
    length: Distances = np.sqrt(p[0] * p[0] + p[1] * p[1] + p[2] * p[2])
    return length


def planar(x: Distances, y: Distances) -> Distances:
    """The length of each vector in the plane; five times as fast as np.hypot, which guards against overflow."""
    length: Distances = np.sqrt(x * x + y * y)
    return length
