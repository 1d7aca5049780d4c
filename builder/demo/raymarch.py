"""Render a toy and its exact alpha by sphere tracing (Hart 1996), in NumPy.

First one ray is cast for each block of pixels, which finds empty space and safe starting points; then one for each
pixel; then sixteen for each pixel on the outline, and four for each pixel on another edge. Far from the toy the rays
follow the rough (sampled) field, near it the exact one. A pixel's alpha is the fraction of its rays that hit the toy.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from builder.demo.camera import FOCAL, Camera, expose
from builder.demo.sdf import CHUNK, Distances, Points, Solid, norm
from builder.demo.toy import Toy

STEP = 0.9
"""Fraction of the distance that a ray advances; below 1 because some fields are not exact."""
LEAP = 3.0
"""Largest advance, in multiples of the distance, of a ray that approaches a surface steadily."""
CLOSE = 0.04
"""Distance below which a ray may advance by up to LEAP: further out it might pass through a thin wall."""
SHORTEST = 0.012
"""Smallest advance of a ray outside, so that one along a surface makes progress; it may miss thinner details."""
BLOCK = 8
"""Side of a block of the first pass, in pixels."""
SQUARE = np.ones((3, 3), np.uint8)
"""Structuring element: a pixel and its eight neighbours."""
GRID = (np.indices((4, 4)).reshape(2, 2, 2, 2, 2).transpose(1, 3, 2, 4, 0).reshape(4, 4, 2) + 0.5) / 4
"""Sixteen sample points in a pixel, grouped by quarter: row and column in [0, 1]; shape [4, 4, 2]."""
ROTATED = GRID[[0, 1, 2, 3], [1, 3, 0, 2]][:, None]
"""One sample point from each quarter, no two in one row or column; shape [4, 1, 2]."""


@dataclass(frozen=True, slots=True)
class Light:
    """The lights of a scene.

    direction: unit vector [3] towards the key light. key, sky, bounce: linear light [3, 1] of the soft key light, of
    the sky, and reflected by the ground.
    """

    direction: NDArray[np.float32]
    key: NDArray[np.float32]
    sky: NDArray[np.float32]
    bounce: NDArray[np.float32]


def march(
    solid: Solid,
    eye: NDArray[np.float32],
    rays: Points,
    near: Distances,
    far: float,
    *,
    cone: float,
    skin: float = 0,
    leap: float = STEP,
) -> Distances:
    """Length of each ray at which the solid is closer than `skin` plus `cone` times that length.

    Rays start at length `near`; the result is infinity where one gets beyond `far`. leap: largest advance close to the
    solid, in multiples of the distance.
    """
    found = np.full(rays.shape[1], np.inf, np.float32)
    active, travelled = np.arange(rays.shape[1]), near
    before, stride = np.full_like(near, np.inf), np.zeros_like(near)
    for _ in range(48):
        distance = solid.distance(eye[:, None] + rays * travelled)
        hit = np.abs(distance) < cone * travelled + skin
        found[active[hit]] = travelled[hit]
        # Where the distance shrinks steadily, the ray nears the surface at an angle: go to where it would be zero.
        drop = before - distance
        slant = stride / np.where(np.abs(drop) < 1e-6, np.inf, drop)
        slant = np.clip(slant, STEP, np.where(distance < CLOSE, leap, STEP))
        stride = np.asarray(distance * slant, np.float32)
        stride = np.where(distance > 0, np.maximum(stride, np.float32(SHORTEST)), stride)
        travelled = travelled + stride
        going = np.flatnonzero(~hit & (travelled < far))
        if not len(going):
            break
        active, rays, travelled = active[going], rays.take(going, 1), travelled[going]
        before, stride = distance[going], stride[going]
    return found


def normals(solid: Solid, points: Points, width: float = 0.002) -> Points:
    """Unit normals, from the field at the corners of a tetrahedron around each point."""
    gradient = np.zeros_like(points)
    for corner in ((1, -1, -1), (-1, -1, 1), (-1, 1, -1), (1, 1, 1)):
        offset = np.array(corner, np.float32)[:, None]
        gradient += offset * solid.distance(points + np.float32(width) * offset)
    return np.asarray(gradient / np.maximum(norm(gradient), 1e-8), np.float32)


def openness(solid: Solid, points: Points, normal: Points, reach: float = 0.3) -> Distances:
    """Ambient occlusion (Evans 2006): 1 in the open, towards 0 where the solid encloses the point within `reach`."""
    closed = np.zeros(points.shape[1], np.float32)
    for step, weight in ((0.08, 0.4), (0.25, 0.3), (0.55, 0.2), (1.0, 0.1)):
        height = np.float32(step * reach)
        closed += np.float32(weight) * np.clip(1 - solid.distance(points + normal * height) / height, 0, 1)
    return 1 - closed


def lit(solid: Solid, points: Points, light: Light, reach: float, sharpness: float = 7) -> Distances:
    """Fraction of the key light at each point, 0 to 1 (Quilez's soft shadow). sharpness: higher for a smaller lamp."""
    seen = np.ones(points.shape[1], np.float32)
    active, travelled = np.arange(points.shape[1]), np.full(points.shape[1], 0.04, np.float32)
    towards = light.direction[:, None]
    for _ in range(24):
        distance = solid.distance(points + towards * travelled)
        share = np.minimum(seen[active], np.maximum(np.float32(sharpness) * distance / travelled, 0))
        seen[active] = share
        travelled = travelled + np.clip(distance, 0.04, 0.4)
        going = np.flatnonzero((share > 0.01) & (travelled < reach))
        if not len(going):
            break
        active, points, travelled = active[going], points.take(going, 1), travelled[going]
    return np.asarray(seen * seen * (3 - 2 * seen), np.float32)


def shade(toy: Toy, points: Points, rays: Points, light: Light) -> Points:
    """Linear light [3, N] that points of the toy reflect back along the rays that hit them."""
    rough, _ = toy.rough
    normal = normals(toy.solid, points)
    colour, gloss = toy.surface(points)
    towards = light.direction[:, None]
    facing = np.clip((normal * towards).sum(0), 0, 1)
    sunny = np.flatnonzero(facing > 0)
    key = np.zeros(points.shape[1], np.float32)
    key[sunny] = lit(rough, (points + 0.01 * normal).take(sunny, 1), light, reach=2.5)
    open_ = openness(rough, points, normal)
    up = 0.5 + 0.5 * normal[2]
    diffuse = colour * (light.key * facing * key + (light.sky * up + light.bounce * (1 - up)) * open_)

    # Gloss reflects the lamp, a sheen around it, and the bright upper half of the room, stronger at grazing angles.
    across = -(normal * rays).sum(0)
    mirrored = rays + 2 * across * normal
    aligned = (mirrored * towards).sum(0)
    lamp = 5 * gloss * np.clip((aligned - 0.955) / 0.02, 0, 1) + 0.7 * np.clip(aligned, 0, 1) ** 24
    fresnel = 0.04 + 0.5 * np.clip(1 - across, 0, 1) ** 5
    room = light.sky * (0.35 + 1.1 * np.clip(mirrored[2], 0, 1)) * open_
    return np.asarray(diffuse + gloss * (fresnel * room + 0.1 * light.key * lamp * key), np.float32)


@dataclass(frozen=True, slots=True)
class Shot:
    """A toy in front of a camera.

    starts: safe starting length of each pixel's ray, infinity where it hits nothing: [size, size].
    """

    toy: Toy
    camera: Camera
    light: Light
    starts: NDArray[np.float32]

    def reach(self, rays: Points, starts: Distances) -> Distances:
        """Length of each ray up to the toy, infinity where it misses."""
        rough, cell = self.toy.rough
        eye, end = self.camera.eye, float(starts.max(initial=0)) + 4
        reached = [np.empty(0, np.float32)]
        for i in range(0, len(starts), CHUNK):
            chunk = rays[:, i : i + CHUNK]
            far = march(rough, eye, chunk, starts[i : i + CHUNK], end, cone=0, skin=0.75 * cell)
            close = np.flatnonzero(np.isfinite(far))
            tight = 0.15 / (len(self.starts) * FOCAL)
            far[close] = march(self.toy.solid, eye, chunk.take(close, 1), far[close], end, cone=tight, leap=LEAP)
            reached.append(far)
        return np.concatenate(reached)

    def colours(self, rays: Points, far: Distances) -> NDArray[np.float32]:
        """Exposed light [N, 3] of rays that hit the toy."""
        points = self.camera.eye[:, None] + rays * far
        chunks = [slice(i, i + CHUNK) for i in range(0, len(far), CHUNK)]
        return np.concatenate(
            [np.empty((0, 3), np.float32)]
            + [expose(shade(self.toy, points[:, c], rays[:, c], self.light)).T for c in chunks]
        )

    def sample(
        self, rows: NDArray[np.intp], columns: NDArray[np.intp], places: NDArray[np.float64]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Premultiplied exposed light [N, 3] and alpha [N] of pixels, from rays through `places` (GRID or ROTATED).

        Every ray counts for alpha. In each quarter of a pixel, one ray that hits is shaded for all that do.
        """
        each = places.shape[1]
        y, x = places.reshape(-1, 2).T
        rays = self.camera.rays((rows[:, None] + y).ravel(), (columns[:, None] + x).ravel(), len(self.starts))
        far = self.reach(rays, np.repeat(self.starts[rows, columns], 4 * each))
        hits = np.isfinite(far).reshape(-1, each)
        seen = np.flatnonzero(hits.any(1))
        chosen = seen * each + hits[seen].argmax(1)
        quarters = np.zeros((len(hits), 3), np.float32)
        quarters[seen] = self.colours(rays.take(chosen, 1), far[chosen]) * hits[seen].mean(1, keepdims=True)
        return quarters.reshape(-1, 4, 3).mean(1), hits.reshape(-1, 4 * each).mean(1, dtype=np.float32)


def cast(toy: Toy, camera: Camera, light: Light, size: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Render the toy alone: exposed light [size, size, 3], premultiplied, and alpha [size, size]."""
    shot = Shot(toy, camera, light, _starts(toy, camera, size))
    colours, alpha = np.zeros((size, size, 3), np.float32), np.zeros((size, size), np.float32)
    filled = np.isfinite(shot.starts)
    rows, columns = np.nonzero(filled)
    rays = camera.rays(rows + 0.5, columns + 0.5, size)
    far = shot.reach(rays, shot.starts[rows, columns])
    hit = np.flatnonzero(np.isfinite(far))
    colours[rows[hit], columns[hit]] = shot.colours(rays.take(hit, 1), far[hit])
    alpha[rows[hit], columns[hit]] = 1

    outline = cv2.dilate(alpha, SQUARE) != cv2.erode(alpha, SQUARE)
    tones = np.sqrt(colours)
    # A step in brightness that would show as a jagged edge.
    step = (cv2.dilate(tones, SQUARE) - cv2.erode(tones, SQUARE)).max(2) > 0.16
    for pixels, places in ((outline, GRID), (step & ~outline, ROTATED)):
        rows, columns = np.nonzero(pixels & filled)
        colours[rows, columns], alpha[rows, columns] = shot.sample(rows, columns, places)
    return colours, alpha


def _starts(toy: Toy, camera: Camera, size: int) -> NDArray[np.float32]:
    """Safe starting length of each pixel's ray, infinity where it hits nothing: [size, size].

    The ray in the middle of a block is traced as a cone that contains the block. Its length is reduced by more than
    the block's width, because a neighbour may hit a slanted surface earlier.
    """
    low, high = toy.shell.min(1), toy.shell.max(1)
    gap, radius = float(np.linalg.norm(camera.eye - (low + high) / 2)), float(np.linalg.norm(high - low)) / 2
    cells, cone = -(-size // BLOCK), BLOCK / (size * FOCAL)
    rows, columns = (np.indices((cells, cells)).reshape(2, -1) + 0.5) * BLOCK
    near = np.full(cells * cells, max(gap - radius, 0.1), np.float32)
    far = march(toy.rough[0], camera.eye, camera.rays(rows, columns, size), near, gap + radius, cone=1.1 * cone)
    blocks = np.asarray(far - 3 * cone * gap, np.float32).reshape(cells, cells)
    return np.repeat(np.repeat(blocks, BLOCK, 0), BLOCK, 1)[:size, :size]
