"""A solid's distance field sampled on a lattice: approximate, but as fast for a complex solid as for a simple one."""

from __future__ import annotations

import numpy as np

from builder.demo.sdf import CHUNK, Distances, Points, Solid, norm, planar

SEARCH = 64
"""Points along each side of the lattice on which the solid's surface is searched for."""
CELLS = 72
"""Cells along the longest side of the sampled box."""


def shell(solid: Solid) -> Points:
    """Points [3, N] on or near the surface of a solid that is within two units of the z axis and 0 <= z <= 4."""
    steps = np.linspace(-2, 2, SEARCH, dtype=np.float32)
    grid = np.stack(np.meshgrid(steps, steps, steps + 1.95, indexing="ij")).reshape(3, -1)
    return grid[:, np.abs(evaluate(solid, grid)) < 0.6 * (steps[1] - steps[0])]


def sampled(solid: Solid, surface: Points) -> tuple[Solid, float]:
    """The solid's field, sampled in a box around points of its surface and interpolated; and the width of a cell.

    Outside the box the result never exceeds the true distance. For a point p, let q be the nearest point of the box
    and s the nearest point of the solid: the angle at q is at least 90 degrees, so |ps|^2 >= |pq|^2 + |qs|^2.
    """
    low, high = surface.min(1), surface.max(1)
    cell = float((high - low).max()) / CELLS
    low = low - 2 * cell
    shape = np.ceil((high - low) / cell).astype(np.intp) + 3
    axes = [start + cell * np.arange(count) for start, count in zip(low, shape, strict=True)]
    grid = np.stack(np.meshgrid(*axes, indexing="ij")).reshape(3, -1).astype(np.float32)
    values = evaluate(solid, grid)
    stride_x, stride_y = int(shape[1] * shape[2]), int(shape[2])
    first, scale, last = low[:, None], np.float32(1 / cell), (shape - 1).astype(np.float32)[:, None]

    def distance(p: Points) -> Distances:
        place = (p - first) * scale
        held = np.clip(place, 0, last)
        corner = np.minimum(held.astype(np.intp), shape[:, None] - 2)
        share = held - corner.astype(np.float32)
        base = corner[0] * stride_x + corner[1] * stride_y + corner[2]

        def along_z(offset: int) -> Distances:
            here = values.take(base + offset)
            return np.asarray(here + (values.take(base + (offset + 1)) - here) * share[2], np.float32)

        def along_y(offset: int) -> Distances:
            here = along_z(offset)
            return np.asarray(here + (along_z(offset + stride_y) - here) * share[1], np.float32)

        inside = along_y(0)
        inside += (along_y(stride_x) - inside) * share[0]
        beyond = norm(place - held) / scale
        return np.where(beyond > 0, planar(inside, beyond), inside)

    return Solid(distance), cell


def evaluate(solid: Solid, points: Points) -> Distances:
    """Evaluate the field at many points, one chunk at a time."""
    return np.concatenate([solid.distance(points[:, i : i + CHUNK]) for i in range(0, points.shape[1], CHUNK)])
