"""Photographs of toys by sphere tracing (Hart 1996), in NumPy.

Rays are cast by blocks of pixels first (cone marching), which finds empty space and safe starting points, then one for each
pixel, then sixteen for each pixel on the outline and four for those on other edges. The share of a pixel's rays that meet the
toy is its exact alpha.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from builder.records import Rgb
from builder.toys.sdf import CHUNK, Distances, Points, Solid, norm
from builder.toys.toy import Toy

STEP = 0.9
"""Share of the distance that a ray advances; under 1 because some fields are not exact."""
LEAP = 3.0
"""The most distances that a ray advances at once."""
CLOSE = 0.04
"""The distance under which leaps are taken."""
SHORTEST = np.float32(0.012)
"""The least that a ray outside advances, so that one that skims a surface gets on; what it misses is a hair's breadth."""
BLOCK = 8
"""Side in pixels of the blocks of the first pass."""
SQUARE = np.ones((3, 3), np.uint8)
"""A pixel's neighbourhood."""

Vector = NDArray[np.float32]
"""float32 [3]."""


@dataclass(frozen=True, slots=True)
class Camera:
    """A pinhole camera. axes: rows are right, down and forward. focal: in widths of the picture."""

    eye: Vector
    axes: NDArray[np.float32]
    focal: float

    def rays(self, x: NDArray[np.float32], y: NDArray[np.float32]) -> Points:
        """Unit directions [3, N] through points of the picture, both coordinates in [-0.5, 0.5]."""
        local = np.stack([x, y, np.full_like(x, self.focal)])
        directions = self.axes.T @ local
        return directions / norm(directions)


@dataclass(frozen=True, slots=True)
class Light:
    """A soft key light from `direction` (unit), a sky above and light thrown back by the ground. Colours are linear [3, 1]."""

    direction: Vector
    key: NDArray[np.float32]
    sky: NDArray[np.float32]
    bounce: NDArray[np.float32]


def camera_around(toy: Toy, azimuth: float, elevation: float, fill: float, focal: float = 1.9) -> Camera:
    """A camera that sees the whole toy, which takes about `fill` of the picture's longer side.

    azimuth, elevation: degrees; azimuth 0 looks at the toy's face, and grows counter-clockwise seen from above.
    """
    a, e = np.radians(azimuth + toy.facing), np.radians(elevation)
    forward = np.array([-np.sin(a) * np.cos(e), np.cos(a) * np.cos(e), -np.sin(e)])
    right = np.array([np.cos(a), np.sin(a), 0])
    axes = np.stack([right, np.cross(forward, right), forward])
    target, distance = (toy.shell.min(1) + toy.shell.max(1)) / 2, 6.0
    for _ in range(8):
        x, y, depth = axes @ (toy.shell - (target - distance * forward)[:, None])
        x, y = x / depth * focal, y / depth * focal
        target = target + (axes[0] * (x.min() + x.max()) + axes[1] * (y.min() + y.max())) / 2 * distance / focal
        distance *= max(np.ptp(x), np.ptp(y)) / fill
    return Camera((target - distance * forward).astype(np.float32), axes.astype(np.float32), focal)


def march(solid: Solid, eye: Vector, rays: Points, near: Distances, far: float, cone: float, skin: float = 0, leap: float = LEAP) -> Distances:
    """How far each ray travels to within `skin`, plus `cone` times that length, of the solid; infinity where it passes by."""
    found = np.full(rays.shape[1], np.inf, np.float32)
    active, travelled = np.arange(rays.shape[1]), near.astype(np.float32)
    start, before, stride = eye[:, None], np.full(rays.shape[1], np.inf, np.float32), np.float32(0)
    for _ in range(48):
        distance = solid.distance(start + rays * travelled)
        hit = np.abs(distance) < cone * travelled + skin
        found[active[hit]] = travelled[hit]
        # Where the distance shrinks steadily, the ray meets the surface at a slant: go to where it would reach zero.
        drop = before - distance
        slant = np.clip(stride / np.where(np.abs(drop) < 1e-6, np.inf, drop), STEP, np.where(distance < CLOSE, leap, STEP))
        stride = distance * slant.astype(np.float32)
        stride = np.where(distance > 0, np.maximum(stride, SHORTEST), stride)
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
    return gradient / np.maximum(norm(gradient), 1e-8)


def openness(solid: Solid, points: Points, normal: Points, reach: float = 0.3) -> Distances:
    """Ambient occlusion: 1 in the open, towards 0 where the solid closes in within `reach` (Evans 2006)."""
    closed = np.zeros(points.shape[1], np.float32)
    for step, weight in ((0.08, 0.4), (0.25, 0.3), (0.55, 0.2), (1.0, 0.1)):
        height = np.float32(step * reach)
        closed += np.float32(weight) * np.clip(1 - solid.distance(points + normal * height) / height, 0, 1)
    return 1 - closed


def lit(solid: Solid, points: Points, towards: Vector, reach: float, sharpness: float = 7) -> Distances:
    """How much of a large lamp each point sees, 0 to 1: Quilez's soft shadow."""
    seen = np.ones(points.shape[1], np.float32)
    active, travelled = np.arange(points.shape[1]), np.full(points.shape[1], 0.03, np.float32)
    light = towards[:, None]
    for _ in range(28):
        distance = solid.distance(points + light * travelled)
        share = np.minimum(seen[active], np.maximum(np.float32(sharpness) * distance / travelled, 0))
        seen[active] = share
        travelled = travelled + np.clip(distance, 0.03, 0.3)
        going = np.flatnonzero((share > 0.01) & (travelled < reach))
        if not len(going):
            break
        active, points, travelled = active[going], points.take(going, 1), travelled[going]
    return seen * seen * (3 - 2 * seen)


def shade(toy: Toy, points: Points, rays: Points, light: Light) -> Points:
    """The linear light [3, N] that points of the toy send back along the rays."""
    rough, _ = toy.rough
    normal = normals(toy.solid, points)
    colour, gloss = toy.surface(points)
    towards = light.direction[:, None]
    facing = np.clip((normal * towards).sum(0), 0, 1)
    open_ = openness(rough, points, normal)
    key = np.zeros(points.shape[1], np.float32)
    day = np.flatnonzero(facing > 0)
    key[day] = lit(rough, points.take(day, 1) + 0.01 * normal.take(day, 1), light.direction, reach=2.5)
    up = 0.5 + 0.5 * normal[2]
    ambient = (light.sky * up + light.bounce * (1 - up)) * open_
    diffuse = colour * (light.key * facing * key + ambient)

    across = -(normal * rays).sum(0)
    mirrored = rays + 2 * across * normal
    fresnel = 0.04 + 0.5 * np.clip(1 - across, 0, 1) ** 5
    aligned = (mirrored * towards).sum(0)
    softbox = np.clip((aligned - 0.955) / 0.02, 0, 1) * 5 + np.clip(aligned, 0, 1) ** 24 * 0.7
    room = light.sky * (0.35 + 1.1 * np.clip(mirrored[2], 0, 1)) * open_
    sheen = gloss * (fresnel * room + np.float32(0.1) * light.key * softbox * key)
    return diffuse + sheen


def cast(toy: Toy, camera: Camera, light: Light, size: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The toy alone: linear light [size, size, 3], premultiplied, and alpha [size, size]."""
    starts = _starts(toy, camera, size)
    colours, alpha = np.zeros((size, size, 3), np.float32), np.zeros((size, size), np.float32)
    rows, columns = np.nonzero(np.isfinite(starts))
    rays = _rays(camera, rows + 0.5, columns + 0.5, size)
    far = _reach(toy, camera, rays, starts[rows, columns], size)
    hit = np.flatnonzero(np.isfinite(far))
    colours[rows[hit], columns[hit]] = _shaded(toy, camera, rays.take(hit, 1), far[hit], light).T
    alpha[rows[hit], columns[hit]] = 1

    outline = cv2.dilate(alpha, SQUARE) != cv2.erode(alpha, SQUARE)
    for pixels, fine in ((outline, 4), (_steps(colours) & ~outline, 2)):
        rows, columns = np.nonzero(pixels & np.isfinite(starts))
        quarters, share = _sample(toy, camera, light, starts, rows, columns, fine)
        colours[rows, columns], alpha[rows, columns] = quarters, share
    return colours, alpha


def _sample(
    toy: Toy,
    camera: Camera,
    light: Light,
    starts: NDArray[np.float32],
    rows: NDArray[np.intp],
    columns: NDArray[np.intp],
    fine: int,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Premultiplied light [N, 3] and alpha [N] of pixels, from `fine` by `fine` rays each.

    All rays count for alpha; of each quarter of a pixel, one that hits is shaded on behalf of all that do.
    """
    half = fine // 2
    offsets = (np.indices((fine, fine), np.float32) + 0.5) / fine
    y, x = offsets.reshape(2, 2, half, 2, half).transpose(0, 1, 3, 2, 4).reshape(2, 1, fine * fine)
    rays = _rays(camera, (rows[:, None] + y).ravel(), (columns[:, None] + x).ravel(), len(starts))
    far = _reach(toy, camera, rays, np.repeat(starts[rows, columns], fine * fine), len(starts))
    hits = np.isfinite(far).reshape(-1, half * half)
    seen = np.nonzero(hits.any(1))[0]
    chosen = seen * half * half + hits[seen].argmax(1)
    quarters = np.zeros((len(hits), 3), np.float32)
    quarters[seen] = _shaded(toy, camera, rays.take(chosen, 1), far[chosen], light).T * hits[seen].mean(1, keepdims=True)
    return quarters.reshape(-1, 4, 3).mean(1), hits.reshape(-1, fine * fine).mean(1, dtype=np.float32)


def _starts(toy: Toy, camera: Camera, size: int) -> NDArray[np.float32]:
    """How far the ray of each pixel may travel unseen, infinity where it meets nothing: [size, size]."""
    low, high = toy.shell.min(1), toy.shell.max(1)
    gap, radius = float(np.linalg.norm(camera.eye - (low + high) / 2)), float(np.linalg.norm(high - low)) / 2
    cells, cone = -(-size // BLOCK), BLOCK / (size * camera.focal)
    rows, columns = (np.indices((cells, cells)).reshape(2, -1) + 0.5) * BLOCK
    near = np.full(cells * cells, max(gap - radius, 0.1), np.float32)
    far = march(toy.rough[0], camera.eye, _rays(camera, rows, columns, size), near, gap + radius, 1.1 * cone, leap=STEP)
    blocks = (far - 3 * cone * gap).reshape(cells, cells)
    return np.repeat(np.repeat(blocks, BLOCK, 0), BLOCK, 1)[:size, :size]


def _rays(camera: Camera, rows: NDArray[np.floating], columns: NDArray[np.floating], size: int) -> Points:
    return camera.rays((columns / size - 0.5).astype(np.float32), (rows / size - 0.5).astype(np.float32))


def _reach(toy: Toy, camera: Camera, rays: Points, starts: Distances, size: int) -> Distances:
    """How far each ray travels to the toy: near it by the rough field, then by the exact one."""
    rough, cell = toy.rough
    end = float(starts.max()) + 4
    pixel = 1 / (size * camera.focal)
    reached = []
    for i in range(0, len(starts), CHUNK):
        chunk = rays[:, i : i + CHUNK]
        far = march(rough, camera.eye, chunk, starts[i : i + CHUNK], end, 0, 0.75 * cell, leap=STEP)
        close = np.flatnonzero(np.isfinite(far))
        far[close] = march(toy.solid, camera.eye, chunk.take(close, 1), far[close], end, 0.15 * pixel)
        reached.append(far)
    return np.concatenate(reached)


def _shaded(toy: Toy, camera: Camera, rays: Points, far: Distances, light: Light) -> Points:
    points = camera.eye[:, None] + rays * far
    chunks = range(0, len(far), CHUNK)
    return np.concatenate([shade(toy, points[:, i : i + CHUNK], rays[:, i : i + CHUNK], light) for i in chunks], 1)


def _steps(colours: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Pixels beside a step in brightness that would show as a staircase."""
    tones = np.sqrt(np.clip(colours, 0, 1))
    return np.asarray((cv2.dilate(tones, SQUARE) - cv2.erode(tones, SQUARE)).max(2) > 0.16, np.bool_)


def develop(light: NDArray[np.float32], rng: np.random.Generator) -> Rgb:
    """Linear light [H, W, 3] as a camera would store it: filmic curve (Narkowicz's fit of ACES), vignette and grain."""
    size = light.shape[0]
    y, x = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j].astype(np.float32)
    exposed = light * (1 - 0.10 * (x * x + y * y))[..., None] * np.float32(0.75)
    curve = exposed * (2.51 * exposed + 0.03) / (exposed * (2.43 * exposed + 0.59) + 0.14)
    stored = np.clip(curve, 0, 1) ** np.float32(1 / 2.2) * 255
    grain = rng.standard_normal((size, size, 1), np.float32) * np.float32(1.6)
    return np.clip(np.round(stored + grain), 0, 255).astype(np.uint8)
