"""Toys: ten classes of flat shapes in two colours and a pattern, drawn at any size and view."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Rgba = NDArray[np.uint8]
Points = NDArray[np.float64]
"""[N, 2]: x to the right and y down, from -1 to 1."""

COLOURS: Mapping[str, tuple[int, int, int]] = {
    "red": (205, 45, 40),
    "orange": (235, 135, 30),
    "yellow": (240, 215, 60),
    "green": (60, 150, 60),
    "blue": (45, 90, 200),
    "purple": (120, 60, 160),
    "pink": (240, 145, 180),
    "white": (240, 240, 235),
    "black": (45, 42, 48),
    "brown": (125, 80, 45),
}
PATTERNS: Mapping[str, str] = {
    "plain": "",
    "stripes": "striped",
    "bars": "barred",
    "dots": "dotted",
    "halves": "halved",
    "checks": "checked",
}
"""Each pattern and its adjective."""
OUTLINE = 0.05
"""Width of the dark outline, as a fraction of the toy's size."""
JITTER = 14
"""Standard deviation of a colour's channels between toys of the same named colour."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Look:
    """A toy. kind: a key of SHAPES. body, second: keys of COLOURS. pattern: a key of PATTERNS.

    tint: offsets of both colours, [2, 3]; toys of the same names differ in it.
    """

    kind: str
    body: str
    second: str
    pattern: str
    tint: tuple[tuple[float, float, float], ...] = ((0.0, 0.0, 0.0), (0.0, 0.0, 0.0))

    @property
    def names(self) -> tuple[str, str, str]:
        """Its colours and pattern by name."""
        return self.body, self.second, self.pattern

    @property
    def colours(self) -> NDArray[np.float32]:
        """Both colours, float32 [2, 3] in [0, 255]."""
        named = np.array([COLOURS[self.body], COLOURS[self.second]], np.float32)
        return np.clip(named + np.array(self.tint, np.float32), 0, 255)


@dataclass(frozen=True, kw_only=True, slots=True)
class View:
    """How a toy is seen. turn: degrees. narrow: factor on its width. mirrored: left and right are swapped.

    light: factor on its colours. slope: how much darker its right side is than its left, -1 to 1.
    """

    turn: float = 0.0
    narrow: float = 1.0
    mirrored: bool = False
    light: float = 1.0
    slope: float = 0.0


def random_look(rng: np.random.Generator, kind: str) -> Look:
    """A toy of a class in random colours; a third of all toys are plain."""
    body, second = rng.choice(list(COLOURS), 2, replace=False).tolist()
    pattern = "plain" if rng.random() < 1 / 3 else str(rng.choice(list(PATTERNS)[1:]))
    tint = tuple(map(tuple, rng.normal(0, JITTER, (2, 3)).tolist()))
    return Look(kind=kind, body=body, second=second, pattern=pattern, tint=tint)


def random_view(rng: np.random.Generator) -> View:
    """A view that a photo might have."""
    return View(
        turn=float(rng.normal(0, 5)),
        narrow=float(rng.uniform(0.85, 1)),
        mirrored=bool(rng.random() < 0.5),
        light=float(rng.uniform(0.85, 1.1)),
        slope=float(rng.uniform(-0.5, 0.5)),
    )


def draw(look: Look, view: View, size: int) -> Rgba:
    """Draw a toy, uint8 [H, W, 4] with straight alpha, cropped to the toy; its longer side is about `size` pixels."""
    canvas = round(size * 1.25)
    matrix = _matrix(view, size)
    colour = np.zeros((canvas, canvas, 3), np.float32)
    alpha = np.zeros((canvas, canvas), np.uint8)
    pattern = _pattern(look, matrix, canvas)
    for role, contours in SHAPES[look.kind]:
        mask = np.zeros((canvas, canvas), np.uint8)
        placed = [np.round((c @ matrix.T + canvas / 2) * 16).astype(np.int32) for c in contours]
        cv2.fillPoly(mask, placed, 255, cv2.LINE_AA, 4)
        paint = pattern if role == "body" else _paint(role, look)
        share = (mask / np.float32(255))[..., None]
        colour += (paint - colour) * share
        alpha = np.maximum(alpha, mask)
    colour *= _shade(alpha, view, size)[..., None]
    rows, columns = np.flatnonzero(alpha.any(1)), np.flatnonzero(alpha.any(0))
    window = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return np.dstack([np.clip(colour, 0, 255).astype(np.uint8), alpha])[window]


def _matrix(view: View, size: int) -> Points:
    """From the shape's coordinates to pixels around the centre."""
    angle = np.radians(view.turn)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return turn @ np.diag([-view.narrow if view.mirrored else view.narrow, 1]) * (size / 2)


def _pattern(look: Look, matrix: Points, canvas: int) -> NDArray[np.float32]:
    """Colours of the body at every pixel."""
    first, second = look.colours
    if look.pattern == "plain":
        return np.broadcast_to(first, (canvas, canvas, 3))
    y, x = np.mgrid[:canvas, :canvas] + 0.5 - canvas / 2
    back = np.linalg.inv(matrix)
    u, v = back[0, 0] * x + back[0, 1] * y, back[1, 0] * x + back[1, 1] * y
    if look.pattern == "stripes":
        inside = np.mod(v / 0.64, 1) < 0.5
    elif look.pattern == "bars":
        inside = np.mod(u / 0.64 + 0.25, 1) < 0.5
    elif look.pattern == "halves":
        inside = u > 0
    elif look.pattern == "checks":
        inside = (np.mod(u / 0.9, 1) < 0.5) != (np.mod(v / 0.9, 1) < 0.5)
    else:
        inside = np.hypot(np.mod(u / 0.62 + 0.5, 1) - 0.5, np.mod(v / 0.62 + 0.5, 1) - 0.5) < 0.32
    return np.where(inside[..., None], second, first).astype(np.float32)


def _paint(role: str, look: Look) -> NDArray[np.float32]:
    if role == "trim":
        return look.colours[1]
    return np.array([55, 52, 58] if role == "dark" else [235, 235, 225], np.float32)


def _shade(alpha: Rgba, view: View, size: int) -> NDArray[np.float32]:
    """Light on every pixel: a slope from side to side, and the outline."""
    width = max(1, round(OUTLINE * size))
    inner = cv2.erode(alpha, np.ones((2 * width + 1,) * 2, np.uint8)) / np.float32(255)
    across = np.linspace(1, -1, alpha.shape[1], dtype=np.float32)[None]
    return view.light * (1 + 0.25 * view.slope * across) * (0.55 + 0.45 * inner)


def _ellipse(x: float, y: float, rx: float, ry: float, start: float = 0, end: float = 360) -> Points:
    angles = np.radians(np.linspace(start, end, 40))
    return np.stack([x + rx * np.cos(angles), y + ry * np.sin(angles)], 1)


def _polygon(*points: tuple[float, float]) -> Points:
    return np.array(points, np.float64)


def _box(left: float, top: float, right: float, bottom: float) -> Points:
    return _polygon((left, top), (right, top), (right, bottom), (left, bottom))


def _star() -> Points:
    angles = np.radians(np.arange(10) * 36 - 90)
    radii = np.where(np.arange(10) % 2, 0.45, 1.0)
    return np.stack([radii * np.cos(angles), radii * np.sin(angles) + 0.08], 1)


SHAPES: Mapping[str, tuple[tuple[str, tuple[Points, ...]], ...]] = {
    "ball": (("body", (_ellipse(0, 0, 0.95, 0.95),)),),
    "mug": (
        ("trim", (_ellipse(0.5, 0.05, 0.5, 0.55), _ellipse(0.5, 0.05, 0.24, 0.3))),
        ("body", (_box(-0.9, -0.85, 0.5, 0.95),)),
    ),
    "car": (
        (
            "body",
            (_polygon((-1, 0.1), (-0.7, 0), (-0.45, -0.6), (0.4, -0.6), (0.7, 0), (1, 0.1), (1, 0.6), (-1, 0.6)),),
        ),
        ("light", (_polygon((-0.5, 0), (-0.33, -0.42), (0.28, -0.42), (0.48, 0)),)),
        ("dark", (_ellipse(-0.55, 0.6, 0.32, 0.32),)),
        ("dark", (_ellipse(0.55, 0.6, 0.32, 0.32),)),
    ),
    "fish": (
        ("trim", (_polygon((0.3, 0), (1, -0.6), (0.85, 0), (1, 0.6)),)),
        ("body", (_ellipse(-0.25, 0, 0.78, 0.6),)),
        ("dark", (_ellipse(-0.65, -0.15, 0.11, 0.11),)),
    ),
    "house": (
        ("body", (_box(-0.8, -0.2, 0.8, 0.95),)),
        ("trim", (_polygon((-1, -0.15), (0, -1), (1, -0.15)),)),
        ("dark", (_box(-0.22, 0.35, 0.22, 0.95),)),
    ),
    "mushroom": (
        ("light", (_polygon((-0.3, 0), (0.3, 0), (0.42, 0.95), (-0.42, 0.95)),)),
        ("body", (_ellipse(0, 0.1, 1, 1, 180, 360),)),
    ),
    "rocket": (
        ("trim", (_polygon((-0.35, 0.3), (-0.8, 0.95), (0.8, 0.95), (0.35, 0.3)),)),
        ("body", (_polygon((0, -1), (0.38, -0.45), (0.42, 0.8), (-0.42, 0.8), (-0.38, -0.45)),)),
        ("light", (_ellipse(0, -0.35, 0.17, 0.17),)),
    ),
    "boat": (
        ("dark", (_box(-0.07, -0.9, 0.07, 0.4),)),
        ("light", (_polygon((0.1, -0.9), (0.85, 0.2), (0.1, 0.2)),)),
        ("trim", (_polygon((-0.1, -0.6), (-0.7, 0.2), (-0.1, 0.2)),)),
        ("body", (_polygon((-1, 0.35), (1, 0.35), (0.65, 0.95), (-0.65, 0.95)),)),
    ),
    "star": (("body", (_star(),)),),
    "bottle": (
        ("body", (_polygon((-0.2, -0.6), (0.2, -0.6), (0.5, -0.15), (0.5, 0.98), (-0.5, 0.98), (-0.5, -0.15)),)),
        ("dark", (_box(-0.2, -1, 0.2, -0.55),)),
    ),
}
"""The parts of each class, from back to front: role and contours. body: patterned. trim: in the second colour.
light, dark: in colours that all toys share."""

KINDS = tuple(SHAPES)
