"""Pictures of toys on grounds with their captions: the data of pretraining, and of the detector and the encoder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from builder.seeds import rng_for
from mycanvas.boxes import Box
from mycanvas.english import listed, with_article
from mycanvas.io.images import Rgb
from tests.miniature.grounds import PHRASES, SMALL, VARIANTS, ground
from tests.miniature.things import HELD_OUT
from tests.miniature.toys import KINDS, PATTERNS, Look, Rgba, draw, random_look, random_view

SIDE = 48
"""Width and height of every picture that a model sees or makes."""
Captions = Literal["weak", "full"]
"""Of a picture of several toys the caption names one ("weak") or all ("full")."""
SEVERAL = 0.1
"""Fraction of pretraining pictures with two to five toys."""
LARGE, FILL = 0.5, (0.6, 0.85)
"""Fraction of single toys that are large and in the middle, and their smallest and largest size, as fractions of the
side; the others stand in one of the places."""
COLUMNS, FEET = 3, (0.65, 0.98)
"""The places of toys: how many are side by side, and the rows on which they stand, as fractions of the side."""
DESCRIBED = 0.5
"""Fraction of mentions with colours and pattern."""
GROUNDED = 0.85
"""Fraction of captions with the ground."""
EMPTY = 0.1
"""Fraction of empty captions, for classifier-free guidance."""
RELATED = 0.3
"""Fraction of full captions of several toys that say where these are."""
VERBS, PLURAL_VERBS = ("", "is", "stands", "sits"), ("", "are", "stand", "sit")
SMALL_VIEWS, LARGE_VIEWS = ("far away", "very small"), ("zoomed in", "close up")
"""The words of mycanvas.prompts for photos that are shown reduced or enlarged."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Picture:
    """A picture of toys.

    pixels: uint8 [S, S, 3]. mask: uint8 [S, S], 255 = toy. boxes: of the toys in pixels. ground: a key of PHRASES.
    """

    pixels: Rgb
    mask: NDArray[np.uint8]
    looks: tuple[Look, ...]
    boxes: tuple[Box, ...]
    ground: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Stand:
    """Where a toy stands, as fractions of a square picture's side.

    centre: the column of its middle. foot: the row on which it stands. size: its longer side.
    """

    centre: float
    foot: float
    size: float


def places(count: int, rng: np.random.Generator) -> list[Stand]:
    """Where one to six toys of one picture stand."""
    cells = rng.permutation(COLUMNS * len(FEET))[:count].tolist()
    return [
        Stand(
            centre=(cell % COLUMNS + 0.5) / COLUMNS + rng.uniform(-0.01, 0.01),
            foot=FEET[cell // COLUMNS] + rng.uniform(-0.01, 0.01),
            size=rng.uniform(0.29, 0.33),
        )
        for cell in cells
    ]


def new_look(rng: np.random.Generator, kind: str) -> Look:
    """A random toy that has the colours and pattern of no personal thing."""
    look = random_look(rng, kind)
    while look.names in HELD_OUT:
        look = random_look(rng, kind)
    return look


def pretraining_picture(rng: np.random.Generator, several: float) -> Picture:
    """A picture of one toy, or with probability `several` of two to five of different classes."""
    count = int(rng.integers(2, 6)) if rng.random() < several else 1
    kinds = rng.choice(KINDS, count, replace=False).tolist()
    return compose([new_look(rng, kind) for kind in kinds], str(rng.choice(list(PHRASES))), rng)


def compose(
    looks: Sequence[Look],
    name: str,
    rng: np.random.Generator,
    *,
    side: int = SIDE,
    fill: tuple[float, float] | None = None,
    variants: Sequence[int] = range(VARIANTS),
) -> Picture:
    """Place one toy in the middle of a ground, or some in its places.

    Args:
        looks: the toys.
        name: the ground's.
        rng: of all draws.
        side: width and height of the picture in pixels.
        fill: smallest and largest size of a single toy in the middle, as a fraction of the side; None: it may also be
            in one of the places.
        variants: numbers of the ground's pictures to choose from.
    """
    fine = 2 * side
    source, horizon = ground(name, int(rng.choice(variants)), SMALL if fine <= SMALL else round(1.15 * fine))
    canvas = np.dstack([_crop(source, fine, rng), np.zeros((fine, fine), np.uint8)]).astype(np.float32)
    if len(looks) == 1 and (fill or rng.random() < LARGE):
        foot = rng.uniform(max(0.6, horizon + 0.25), 0.97)
        stands = [Stand(centre=rng.uniform(0.45, 0.55), foot=foot, size=rng.uniform(*(fill or FILL)))]
    else:
        stands = places(len(looks), rng)
    boxes: list[Box] = [(0, 0, 0, 0)] * len(looks)
    for index, stand in sorted(enumerate(stands), key=lambda each: each[1].foot):
        sprite = draw(looks[index], random_view(rng), round(stand.size * fine))
        boxes[index] = _paste(canvas, sprite, stand.centre, stand.foot)
    small = np.round(cv2.resize(canvas, (side, side), interpolation=cv2.INTER_AREA)).astype(np.uint8)
    pixels, mask = np.ascontiguousarray(small[..., :3]), small[..., 3]
    return Picture(pixels=pixels, mask=mask, looks=tuple(looks), boxes=tuple(boxes), ground=name)


def caption(picture: Picture, rng: np.random.Generator, captions: Captions) -> str:
    """A caption that names toys, sometimes with their colours, and mostly the ground; sometimes empty."""
    one = int(rng.integers(len(picture.looks)))
    several = len(picture.looks) > 1
    if rng.random() < EMPTY:
        return ""
    named = range(len(picture.looks)) if captions == "full" else [one]
    where = PHRASES[picture.ground] if rng.random() < GROUNDED else ""
    mentions = [with_article(_described(picture.looks[index], rng)) for index in named]
    if several and captions == "full" and rng.random() < RELATED:
        return _related(picture, mentions, where, rng)
    verb = str(rng.choice(VERBS if len(mentions) == 1 else PLURAL_VERBS)) if where else ""
    start, view = "", ""
    if rng.random() < 0.5:
        start, verb = "photo of ", ""
        largest = max(picture.boxes[0][2:]) / len(picture.pixels)
        if not several and rng.random() < 0.2:
            view = str(rng.choice(SMALL_VIEWS)) if largest < 0.5 else str(rng.choice(LARGE_VIEWS)) * (largest > 0.7)
    last = f", with the {picture.looks[one].kind} in view" if rng.random() < 0.1 else ""
    return " ".join(f"{view} {start}{listed(mentions)} {verb} {where}".split()) + last


def _related(picture: Picture, mentions: Sequence[str], where: str, rng: np.random.Generator) -> str:
    """A caption that says which toys are to the left of which."""
    order = sorted(range(len(mentions)), key=lambda index: picture.boxes[index][0] + picture.boxes[index][2] / 2)
    split = int(rng.integers(1, len(order)))
    left, right = (listed([mentions[index] for index in part]) for part in (order[:split], order[split:]))
    verb = str(rng.choice(VERBS[1:] if split == 1 else PLURAL_VERBS[1:]))
    return f"{left} {verb} to the left of {right} {where}".strip()


def pretraining_batch(step: int, size: int, captions: Captions) -> tuple[Rgb, list[str]]:
    """The pictures [size, SIDE, SIDE, 3] and captions of a step; the same step gives the same ones."""
    rng = rng_for(0, str(step), "miniature pretraining")
    pictures = [pretraining_picture(rng, SEVERAL) for _ in range(size)]
    return np.stack([one.pixels for one in pictures]), [caption(one, rng, captions) for one in pictures]


def _described(look: Look, rng: np.random.Generator) -> str:
    if rng.random() >= DESCRIBED:
        return look.kind
    if look.pattern == "plain":
        return f"{look.body} {look.kind}"
    return f"{look.body} and {look.second} {PATTERNS[look.pattern]} {look.kind}"


def _crop(source: Rgb, fine: int, rng: np.random.Generator) -> Rgb:
    side = len(source)
    size = int(rng.integers(round(side * 0.8), side + 1))
    left, top = int(rng.integers(side - size + 1)), int(rng.integers(side - size + 1))
    part = cv2.resize(source[top : top + size, left : left + size], (fine, fine), interpolation=cv2.INTER_AREA)
    return cv2.flip(part, 1) if rng.random() < 0.5 else part


def _paste(canvas: NDArray[np.float32], sprite: Rgba, centre: float, foot: float) -> Box:
    """Paste a toy and its shadow; returns its box in pixels of the picture of half the size."""
    fine = len(canvas)
    height, width = sprite.shape[:2]
    left = int(np.clip(round(centre * fine - width / 2), 0, max(fine - width, 0)))
    top = max(round(foot * fine) - height, 0)
    sprite = sprite[: fine - top, : fine - left]
    height, width = sprite.shape[:2]
    shadow = np.zeros((fine, fine), np.float32)
    middle = (round((left + width / 2) * 16), round((top + height) * 16))
    axes = (round(width * 8.5), round(max(2.0, height * 0.07) * 16))
    cv2.ellipse(shadow, middle, axes, 0, 0, 360, 0.45, -1, cv2.LINE_AA, 4)
    canvas[..., :3] *= (1 - cv2.GaussianBlur(shadow, (0, 0), fine / 64))[..., None]
    alpha = sprite[..., 3:] / np.float32(255)
    region = canvas[top : top + height, left : left + width]
    painted = np.dstack([sprite[..., :3], np.full((height, width), 255, np.uint8)])
    region += (painted - region) * alpha
    return (left / 2, top / 2, width / 2, height / 2)
