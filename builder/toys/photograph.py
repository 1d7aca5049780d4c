"""One photograph of one toy: camera, light, ground and backdrop, drawn for each toy and view."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from builder.records import Rgb
from builder.seeds import rng_for
from builder.toys.grounds import GROUNDS, TILE, Ground, Tile, rgb, tile_of
from builder.toys.raymarch import Camera, Light, camera_around, cast, develop, lit, openness
from builder.toys.sdf import Solid
from builder.toys.toy import Toy

VIEWS = ((-24, 17, 0.74), (30, 27, 0.72), (-2, 12, 0.78), (-50, 36, 0.74))
"""Azimuth and elevation in degrees, and the toy's share of the picture's side, before they are jittered."""

TILE_UNITS = 3.4
"""How much ground one tile covers, in the toys' units; a toy is about 2 high."""

SHADOW_STEP = 2
"""Pixels between the ground's samples of shadow, which is soft."""


def photograph(toy: Toy, view: int, size: int) -> tuple[Rgb, NDArray[np.uint8]]:
    """A picture of a toy and its exact alpha.

    Args:
        toy: what to photograph.
        view: which of VIEWS, 0 to 3.
        size: width and height in pixels.

    Returns:
        The picture, uint8 [size, size, 3], and the share of each pixel that shows the toy, uint8 [size, size], 255 = all.
        The same arguments give the same bytes.
    """
    rng = rng_for(0, f"{toy.name}/{view}", "toys")
    azimuth, elevation, fill = VIEWS[view]
    camera = camera_around(toy, azimuth + rng.uniform(-6, 6), elevation + rng.uniform(-2, 2), fill)
    ground = GROUNDS[toy.grounds[view]]
    light = _light(camera, toy.grounds[view], rng)
    colours, alpha = cast(toy, camera, light, size)
    backdrop = _backdrop(toy, camera, ground, tile_of(toy.grounds[view]), light, size, rng)
    picture = develop(colours + backdrop * (1 - alpha[..., None]), rng)
    return picture, np.round(alpha * 255).astype(np.uint8)


def _light(camera: Camera, ground: str, rng: np.random.Generator) -> Light:
    """A lamp or sun above the camera's left or right shoulder."""
    side = rng.choice([-1, 1]) * np.radians(rng.uniform(28, 62))
    height = np.radians(rng.uniform(44, 60))
    back = -camera.axes[2, :2] / np.linalg.norm(camera.axes[2, :2])
    c, s = np.cos(side), np.sin(side)
    flat = np.array([c * back[0] - s * back[1], s * back[0] + c * back[1]])
    direction = np.array([*(flat * np.cos(height)), np.sin(height)], np.float32)
    warmth = rng.uniform(-1, 1)
    key = np.array([[1.0 + 0.04 * warmth], [0.95], [0.86 - 0.07 * warmth]], np.float32) * np.float32(rng.uniform(1.35, 1.6))
    sky = np.array([[0.62], [0.68], [0.78]], np.float32)
    bounce = 0.75 * tile_of(ground).mean((0, 1))[:, None]
    return Light(direction, key, sky, bounce.astype(np.float32))


def _backdrop(
    toy: Toy, camera: Camera, ground: Ground, tile: Tile, light: Light, size: int, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Ground and wall as the camera sees them without the toy, but with its shadow: linear light [size, size, 3]."""
    y, x = (np.indices((size, size), np.float32).reshape(2, -1) + 0.5) / size - 0.5
    rays = camera.rays(x, y)
    down = np.minimum(rays[2], -1e-4)
    away = np.minimum(-camera.eye[2] / down, 60).reshape(size, size)
    wall_at = float(np.linalg.norm(camera.eye)) + rng.uniform(2.2, 3.2)
    along = (camera.axes[2, :2] @ rays[:2]).reshape(size, size) / float(np.linalg.norm(camera.axes[2, :2]))
    depth = along * away
    floor = _floor(camera, rays, away, tile, size, rng)
    floor *= _illumination(toy.rough[0], camera, light, size)[..., None] * (light.key * light.direction[2] + light.sky).T
    wall = _wall(ground, size, rng) * np.float32(light.key.mean() * 0.45 + 0.55)
    blur = cv2.GaussianBlur(np.clip((depth - wall_at) / 0.4 + 0.5, 0, 1), (0, 0), size / 90)
    return floor + (wall - floor) * blur[..., None]


def _floor(
    camera: Camera, rays: NDArray[np.float32], away: NDArray[np.float32], tile: Tile, size: int, rng: np.random.Generator
) -> NDArray[np.float32]:
    """The tile laid on z = 0, turned and shifted at random, softer with distance from the focus."""
    turn, shift = rng.uniform(-0.5, 0.5), rng.uniform(0, TILE, 2)
    spot = camera.eye[:2, None] + rays[:2] * away.reshape(-1)
    heading = float(np.arctan2(camera.axes[2, 1], camera.axes[2, 0])) + turn
    c, s = np.cos(heading), np.sin(heading)
    u = ((c * spot[0] + s * spot[1]) / TILE_UNITS * TILE + shift[0]) % TILE
    v = ((c * spot[1] - s * spot[0]) / TILE_UNITS * TILE + shift[1]) % TILE
    u, v = (a.reshape(size, size).astype(np.float32) for a in (v, u))
    sharp = cv2.remap(tile, u, v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
    soft = cv2.GaussianBlur(sharp, (0, 0), size / 240)
    small = cv2.resize(sharp, (size // 4, size // 4), interpolation=cv2.INTER_AREA)
    softer = cv2.resize(cv2.GaussianBlur(small, (0, 0), size / 280), (size, size), interpolation=cv2.INTER_LINEAR)
    out = np.clip(np.abs(away - float(np.linalg.norm(camera.eye))) - 0.7, 0, None)[..., None]
    near, far = np.clip(out / 1.2, 0, 1), np.clip((out - 1.2) / 2.5, 0, 1)
    return np.asarray(sharp + (soft - sharp) * near + (softer - soft) * far, np.float32)


def _illumination(solid: Solid, camera: Camera, light: Light, size: int) -> NDArray[np.float32]:
    """What share of its light each point of the ground keeps in the toy's shadow: [size, size]."""
    cells = size // SHADOW_STEP
    y, x = (np.indices((cells, cells), np.float32).reshape(2, -1) + 0.5) / cells - 0.5
    rays = camera.rays(x, y)
    away = camera.eye[2] / np.maximum(-rays[2], 1e-4)
    points = camera.eye[:, None] + rays * away
    kept = np.ones(cells * cells, np.float32)
    close = np.nonzero((rays[2] < -1e-3) & (np.hypot(points[0], points[1]) < 4.5))[0]
    points = points[:, close]
    up = np.zeros_like(points)
    up[2] = 1
    sun, sky = light.key.mean() * light.direction[2], light.sky.mean()
    kept[close] = (
        sun * lit(solid, points, light.direction, reach=5, sharpness=5) + sky * openness(solid, points, up, reach=0.5)
    ) / (sun + sky)
    return cv2.resize(kept.reshape(cells, cells), (size, size), interpolation=cv2.INTER_CUBIC)


def _wall(ground: Ground, size: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """What is behind, far out of focus: a wall lit from one side, or trees and sky."""
    y, x = np.mgrid[0 : 1 : size * 1j, 0 : 1 : size * 1j].astype(np.float32)
    low, high = rgb(ground.wall), rgb(ground.glow)
    share = np.clip(0.85 - 1.1 * y + 0.35 * (x - 0.5) * rng.choice([-1, 1]), 0, 1)
    picture = low + (high - low) * share[..., None]
    if ground.outdoors:
        for _ in range(40):
            spot = (int(rng.uniform(0, size)), int(rng.uniform(0, size * 0.6)))
            tone = (low * rng.uniform(0.5, 1.6) + (high - low) * rng.uniform(0, 0.5)).tolist()
            cv2.circle(picture, spot, int(size * rng.uniform(0.02, 0.07)), tone, -1)
        picture = cv2.GaussianBlur(picture, (0, 0), size / 40)
    return np.asarray(picture, np.float32)
