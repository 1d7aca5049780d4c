"""A toy's light and outline by sphere tracing (Hart 1996), in NumPy.

Rays are cast for blocks of pixels first, which finds empty space and safe starting points; then one for each pixel;
then sixteen for each pixel on the outline, and four for those on other edges. Far from the toy they follow the rough
field, near it the exact one. The share of a pixel's rays that meet the toy is its exact alpha.
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
"""Share of the distance that a ray advances; under 1 because some fields are not exact."""
LEAP = 3.0
"""The most distances that a ray advances once it closes in steadily."""
CLOSE = 0.04
"""The distance under which leaps are taken: further out they might cross a thin wall."""
SHORTEST = 0.012
"""The least that a ray outside advances, lest one that skims a surface never get on. It can miss a hair's breadth."""
BLOCK = 8
"""Side in pixels of the blocks of the first pass."""
SQUARE = np.ones((3, 3), np.uint8)
"""A pixel's neighbourhood."""
GRID = (np.indices((4, 4)).reshape(2, 2, 2, 2, 2).transpose(1, 3, 2, 4, 0).reshape(4, 4, 2) + 0.5) / 4
"""Sixteen places in a pixel, by quarters: row and column in [0, 1], [4, 4, 2]."""
ROTATED = GRID[[0, 1, 2, 3], [1, 3, 0, 2]][:, None]
"""One of them from each quarter, no two in one row or column: [4, 1, 2]."""


@dataclass(frozen=True, slots=True)
class Light:
    """A soft key light from `direction` (unit, [3]), a sky, and what the ground throws back: linear light [3, 1]."""

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
    """How far each ray travels from `near` until the solid is closer than `skin` plus `cone` times that length.

    Infinity where it gets beyond `far`. leap: how many distances it may advance at once when close.
    """
    found = np.full(rays.shape[1], np.inf, np.float32)
    active, travelled = np.arange(rays.shape[1]), near
    before, stride = np.full_like(near, np.inf), np.zeros_like(near)
    for _ in range(48):
        distance = solid.distance(eye[:, None] + rays * travelled)
        hit = np.abs(distance) < cone * travelled + skin
        found[active[hit]] = travelled[hit]
        # Where the distance shrinks steadily, the ray meets the surface at a slant: go to where it would reach zero.
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
    """Ambient occlusion: 1 in the open, towards 0 where the solid closes in within `reach` (Evans 2006)."""
    closed = np.zeros(points.shape[1], np.float32)
    for step, weight in ((0.08, 0.4), (0.25, 0.3), (0.55, 0.2), (1.0, 0.1)):
        height = np.float32(step * reach)
        closed += np.float32(weight) * np.clip(1 - solid.distance(points + normal * height) / height, 0, 1)
    return 1 - closed


def lit(solid: Solid, points: Points, light: Light, reach: float, sharpness: float = 7) -> Distances:
    """How much of the key light each point sees, 0 to 1 (Quilez's soft shadow). sharpness: more for a smaller lamp."""
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
    """The linear light [3, N] that points of the toy send back along the rays that found them."""
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

    # Gloss: the lamp's own image, a sheen around it, and the bright upper half of the room, stronger at grazing angles.
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

    starts: how far the ray of each pixel surely travels, infinity where it meets nothing: [size, size].
    """

    toy: Toy
    camera: Camera
    light: Light
    starts: NDArray[np.float32]

    def reach(self, rays: Points, starts: Distances) -> Distances:
        """How far each ray travels to the toy."""
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
        """The exposed light [N, 3] of rays that reach the toy."""
        points = self.camera.eye[:, None] + rays * far
        chunks = [slice(i, i + CHUNK) for i in range(0, len(far), CHUNK)]
        return np.concatenate(
            [np.empty((0, 3), np.float32)]
            + [expose(shade(self.toy, points[:, c], rays[:, c], self.light)).T for c in chunks]
        )

    def sample(
        self, rows: NDArray[np.intp], columns: NDArray[np.intp], places: NDArray[np.float64]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Premultiplied exposed light [N, 3] and alpha [N] of pixels, from rays through `places`, GRID or ROTATED.

        All rays count for alpha; of each quarter of a pixel, one that hits is shaded on behalf of all that do.
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
    """The toy alone: exposed light [size, size, 3], premultiplied, and alpha [size, size]."""
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
    # A step in brightness that would show as a staircase.
    step = (cv2.dilate(tones, SQUARE) - cv2.erode(tones, SQUARE)).max(2) > 0.16
    for pixels, places in ((outline, GRID), (step & ~outline, ROTATED)):
        rows, columns = np.nonzero(pixels & filled)
        colours[rows, columns], alpha[rows, columns] = shot.sample(rows, columns, places)
    return colours, alpha


def _starts(toy: Toy, camera: Camera, size: int) -> NDArray[np.float32]:
    """How far the ray of each pixel surely travels, infinity where it meets nothing: [size, size].

    The ray in the middle of a block speaks for a cone that holds the block; its end is drawn back by more than the
    block's width, because a neighbour may meet a slanted surface earlier.
    """
    low, high = toy.shell.min(1), toy.shell.max(1)
    gap, radius = float(np.linalg.norm(camera.eye - (low + high) / 2)), float(np.linalg.norm(high - low)) / 2
    cells, cone = -(-size // BLOCK), BLOCK / (size * FOCAL)
    rows, columns = (np.indices((cells, cells)).reshape(2, -1) + 0.5) * BLOCK
    near = np.full(cells * cells, max(gap - radius, 0.1), np.float32)
    far = march(toy.rough[0], camera.eye, camera.rays(rows, columns, size), near, gap + radius, cone=1.1 * cone)
    blocks = np.asarray(far - 3 * cone * gap, np.float32).reshape(cells, cells)
    return np.repeat(np.repeat(blocks, BLOCK, 0), BLOCK, 1)[:size, :size]
