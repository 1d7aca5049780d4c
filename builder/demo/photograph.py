"""Render one photograph of one toy; camera, light, ground and backdrop are drawn at random for each toy and view."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from builder.demo.camera import Camera, camera_around, develop, expose
from builder.demo.grounds import GROUNDS, TILE, Ground, Tile, rgb, tile_of
from builder.demo.raymarch import Light, cast, lit, openness
from builder.demo.sdf import planar
from builder.demo.toy import Toy
from builder.records import Rgb
from builder.seeds import rng_for

VIEWS = ((-24, 17, 0.74), (30, 27, 0.72), (-2, 12, 0.78), (-50, 36, 0.74))
"""Azimuth and elevation in degrees, before jitter, and the fraction of the picture's side that the toy fills."""

TILE_UNITS = 3.4
"""Side of the ground that one tile covers, in the toys' units; a toy is about 2 units high."""

SHADOW_STEP = 2
"""Pixels between samples of the shadow on the ground; soft shadows need no more."""

Picture = NDArray[np.float32]
"""Linear light, float32 [S, S, 3]."""


def photograph(toy: Toy, view: int, size: int) -> tuple[Rgb, NDArray[np.uint8]]:
    """Render a toy and its exact alpha; the same arguments give the same bytes.

    Args:
        toy: what to photograph.
        view: index into VIEWS, 0 to 3.
        size: width and height in pixels.

    Returns:
        The picture, uint8 [size, size, 3], and the alpha, uint8 [size, size]: 255 where the toy fills the pixel.
    """
    rng = rng_for(0, f"{toy.name}/{view}", "toys")
    azimuth, elevation, fill = VIEWS[view]
    camera = camera_around(toy, azimuth + rng.uniform(-6, 6), elevation + rng.uniform(-2, 2), fill)
    tile = tile_of(toy.grounds[view])
    light = _light(camera, tile, rng)
    colours, alpha = cast(toy, camera, light, size)
    backdrop = _Backdrop(toy, camera, light, size).draw(GROUNDS[toy.grounds[view]], tile, rng)
    picture = develop(colours + expose(backdrop) * (1 - alpha[..., None]), rng)
    return picture, np.asarray(np.round(alpha * 255), np.uint8)


def _light(camera: Camera, tile: Tile, rng: np.random.Generator) -> Light:
    """A lamp or a low sun over the camera's left or right shoulder, with a sky and light reflected by the ground."""
    side = rng.choice([-1, 1]) * np.radians(rng.uniform(28, 62))
    height = np.radians(rng.uniform(44, 60))
    x, y = -camera.heading
    c, s = np.cos(side), np.sin(side)
    towards = np.array([(c * x - s * y) * np.cos(height), (s * x + c * y) * np.cos(height), np.sin(height)])
    warmth = rng.uniform(-1, 1)
    key = np.array([[1.0 + 0.04 * warmth], [0.95], [0.86 - 0.07 * warmth]]) * rng.uniform(1.35, 1.6)
    sky = np.array([[0.62], [0.68], [0.78]], np.float32)
    bounce = np.asarray(0.75 * tile.mean((0, 1))[:, None], np.float32)
    return Light(towards.astype(np.float32), key.astype(np.float32), sky, bounce)


@dataclass(frozen=True, slots=True)
class _Backdrop:
    """The view without the toy, but with its shadow."""

    toy: Toy
    camera: Camera
    light: Light
    size: int

    def draw(self, ground: Ground, tile: Tile, rng: np.random.Generator) -> Picture:
        """The ground, and behind it an out-of-focus wall."""
        rays, lengths = self._rays_to_ground(self.size)
        sun = self.light.key * self.light.direction[2] + self.light.sky
        floor = self._floor(rays, lengths, tile, rng) * self._shadow()[..., None] * sun.T
        wall = _wall(ground, self.size, rng) * np.float32(self.light.key.mean() * 0.45 + 0.55)
        wall_at = float(np.linalg.norm(self.camera.eye)) + rng.uniform(2.2, 3.2)
        depth = (self.camera.heading @ rays[:2] * lengths).reshape(self.size, self.size)
        behind = cv2.GaussianBlur(np.clip((depth - wall_at) / 0.4 + 0.5, 0, 1), (0, 0), self.size / 90)
        return np.asarray(floor + (wall - floor) * behind[..., None], np.float32)

    def _rays_to_ground(self, cells: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """The rays [3, N] through a grid of `cells` x `cells` points, and the length of each to z = 0, at most 60."""
        rows, columns = np.indices((cells, cells), np.float32).reshape(2, -1) + 0.5
        rays = self.camera.rays(rows, columns, cells)
        return rays, np.minimum(self.camera.eye[2] / np.maximum(-rays[2], 1e-4), 60)

    def _floor(
        self, rays: NDArray[np.float32], lengths: NDArray[np.float32], tile: Tile, rng: np.random.Generator
    ) -> Picture:
        """The tile on z = 0, turned and shifted at random, and blurred more with the distance from the toy."""
        shape = (self.size, self.size)
        turn, (right, up) = rng.uniform(-0.5, 0.5), rng.uniform(0, TILE, 2).tolist()
        angle = float(np.arctan2(self.camera.heading[1], self.camera.heading[0])) + turn
        c, s = float(np.cos(angle)) / TILE_UNITS * TILE, float(np.sin(angle)) / TILE_UNITS * TILE
        x, y = self.camera.eye[:2, None] + rays[:2] * lengths
        along, across = (c * x + s * y + up).reshape(shape), (c * y - s * x + right).reshape(shape)
        sharp = cv2.remap(tile, across, along, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
        soft = cv2.GaussianBlur(sharp, (0, 0), self.size / 240)
        small = cv2.resize(sharp, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
        softer = cv2.resize(cv2.GaussianBlur(small, (0, 0), self.size / 280), shape, interpolation=cv2.INTER_LINEAR)
        out = np.abs(lengths.reshape(*shape, 1) - np.linalg.norm(self.camera.eye)) - 0.7
        near, far = np.clip(out / 1.2, 0, 1), np.clip(out / 2.5 - 0.5, 0, 1)
        return np.asarray(sharp + (soft - sharp) * near + (softer - soft) * far, np.float32)

    def _shadow(self) -> NDArray[np.float32]:
        """Fraction of its light that each point of the ground keeps beside the toy, 0 to 1: [S, S]."""
        cells = self.size // SHADOW_STEP
        rays, lengths = self._rays_to_ground(cells)
        points = self.camera.eye[:, None] + rays * lengths
        points[2] = 0
        near = np.flatnonzero(planar(points[0], points[1]) < 4.5)
        points = points.take(near, 1)
        up = np.zeros_like(points)
        up[2] = 1
        rough, _ = self.toy.rough
        key, sky = self.light.key.mean() * self.light.direction[2], self.light.sky.mean()
        direct, ambient = lit(rough, points, self.light, reach=5, sharpness=5), openness(rough, points, up, reach=0.5)
        kept = np.ones(cells * cells, np.float32)
        kept[near] = (key * direct + sky * ambient) / (key + sky)
        large = cv2.resize(kept.reshape(cells, cells), (self.size, self.size), interpolation=cv2.INTER_LINEAR)
        return np.asarray(large, np.float32)


def _wall(ground: Ground, size: int, rng: np.random.Generator) -> Picture:
    """An out-of-focus wall lit from one side, or trees and sky."""
    y, x = np.mgrid[0 : 1 : size * 1j, 0 : 1 : size * 1j].astype(np.float32)
    low, high = rgb(ground.wall), rgb(ground.glow)
    share = np.clip(0.85 - 1.1 * y + 0.35 * (x - 0.5) * rng.choice([-1, 1]), 0, 1)
    picture = np.asarray(low + (high - low) * share[..., None], np.float32)
    if not ground.outdoors:
        return picture
    for _ in range(40):
        spot = (int(rng.uniform(0, size)), int(rng.uniform(0, size * 0.6)))
        tone = low + (high - low) * rng.uniform(-0.2, 0.9)
        cv2.circle(picture, spot, int(size * rng.uniform(0.02, 0.07)), tone.tolist(), -1)
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), size / 40), np.float32)
