"""A seeded solver: places objects on a ground plane in perspective, arranged as for a photograph.

All lengths here are fractions of the canvas's width or height; rows grow downwards. An object whose base line is at row
b, on a ground plane whose horizon is at row h, is drawn with a height proportional to its real height times (b - h).
Objects are not mirrored: the print on a can would read backwards (Gen4Gen has its flip off, too).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest

import numpy as np

from builder.records import Background, Layout, Placement, Rejected, Setting
from builder.seeds import rng_for
from builder.stages.layout.base import SIZE_RATIOS, LayoutBackend, LayoutConfig, find_flaw
from builder.stages.layout.footing import find_foot, ground_map, grounded_fraction

ATTEMPTS = 80
"""Arrangements tried before a scene is rejected; the objects' sizes get a little more equal with each."""

MIN_GROUNDED, UNGROUNDED_ATTEMPTS = 0.5, 10
"""In a photo, an arrangement is drawn again if a smaller fraction of an object's foot is on the ground. After this many
such arrangements, the one with the largest fraction is used."""

FAMILY_ATTEMPTS = 5
"""Attempts at one kind of arrangement before a new kind is drawn."""

NEAR_ROWS = (0.83, 0.965)
"""Range of rows for the nearest object's base line."""

DEEP = 0.3
"""Depth of ground, as a fraction of the canvas, that allows the whole group to stand above the lower edge."""

MAX_HEIGHTS = (0.50, 0.66)
"""Range of the largest height at which an object may be drawn."""

FILL = (0.86, 0.96)
"""Range of the fraction of the canvas's width that the group spans, unless its height limits it first."""

TOP_MARGIN = 0.04
"""Free space above the tallest object."""

MIN_PITCH = 0.15
"""Smallest distance of a base line below the horizon; nearer, a small step back would shrink an object to nothing."""

DEPTHS = (0.10, 0.20)
"""Range of the distance between the furthest and the nearest base line, if the ground is deep enough. A tall canvas has
room for more of it: in proportion to its height over its width."""

SAME_DEPTH = 0.035
"""Overlapping objects whose base lines differ by less than this would stand inside each other."""


@dataclass(frozen=True, slots=True)
class _Object:
    """One object to place.

    index: in the sample. aspect: its width as a fraction of the canvas's, divided by its height as one.
    size: relative real height. cut: its photo cuts it off at the bottom.
    """

    index: int
    aspect: float
    size: float
    cut: bool


@dataclass(frozen=True, slots=True)
class _Ground:
    """The ground plane; horizon: the row where it vanishes. far, near: the base lines between which objects stand."""

    horizon: float
    far: float
    near: float

    def base(self, distance: float) -> float:
        return self.near + (self.far - self.near) * distance

    def magnification(self, base: float) -> float:
        return (base - self.horizon) / (self.near - self.horizon)


Slots = list[tuple[_Object, float]]
"""Objects from left to right, each with its distance: 0 at the near base line, 1 at the far one."""


class Solver(LayoutBackend):
    """Places objects by drawing arrangements until one holds all bounds."""

    def place(self, settings: Sequence[Setting], config: LayoutConfig, seed: int) -> Iterator[Layout | Rejected]:
        """One result per setting; a rejection says which bound the last, most relaxed attempt broke."""
        for setting in settings:
            yield _solve(setting, config, rng_for(seed, setting.sample.id, "layout"))


def _solve(setting: Setting, config: LayoutConfig, rng: np.random.Generator) -> Layout | Rejected:
    flaw: str | None = "no arrangement was tried"
    families = _families(len(setting.cutouts))
    cuts = [cutout.cut_off for cutout in setting.cutouts]
    ground_cells = ground_map(setting.background.pixels) if setting.sample.background.photo else None
    feet = [] if ground_cells is None else [find_foot(cutout) for cutout in setting.cutouts]
    ungrounded: list[tuple[float, tuple[Placement, ...]]] = []
    for attempt in range(ATTEMPTS):
        if attempt % FAMILY_ATTEMPTS == 0:
            family = families[rng.integers(len(families))]
        objects = _objects(setting, cuts, squeeze=(attempt - len(ungrounded)) / ATTEMPTS)
        ground = _ground(setting.background, rng)
        stands = _compose(family(objects, rng), ground, config.scale, rng)
        placements = _to_pixels(stands, setting, ground)
        flaw = find_flaw(setting, placements, config.max_overlap)
        if flaw is not None:
            continue
        if ground_cells is None:
            return Layout(setting=setting, placements=placements)
        grounded = grounded_fraction(feet, placements, ground_cells, setting.background.size)
        if grounded >= MIN_GROUNDED:
            return Layout(setting=setting, placements=placements)
        ungrounded.append((grounded, placements))
        if len(ungrounded) == UNGROUNDED_ATTEMPTS:
            break
    if ungrounded:
        return Layout(setting=setting, placements=max(ungrounded, key=lambda found: found[0])[1])
    return setting.rejected("layout", f"none of {ATTEMPTS} arrangements fits: {flaw}")


def relative_sizes(heights: Sequence[float | None], aspects: Sequence[float], squeeze: float = 0.0) -> list[float]:
    """Relative heights, the largest 1.0.

    An object's size is its height relative to the tallest, or its longer side relative to the longest, whichever is
    more: a low object may be wide. A power law compresses a range of sizes that is wider than SIZE_RATIOS. An object of
    unknown height gets the geometric mean of the known ones' areas.

    Args:
        heights: real heights in one unit, None where unknown.
        aspects: width / height of each object.
        squeeze: 0 keeps the real ratios; 1 makes all objects equal in area.
    """
    roots = np.sqrt(np.asarray(aspects, np.float64))
    known = np.array([h is not None for h in heights])
    real = np.array([h or 1.0 for h in heights], np.float64)
    typical = np.exp(np.mean(np.log((real * roots)[known]))) if known.any() else 1.0
    equal = typical / roots
    real = np.where(known, real, equal)
    drawn = real ** (1 - squeeze) * equal**squeeze
    longer = drawn * np.maximum(aspects, 1.0)
    sizes = np.log(np.maximum(drawn / drawn.max(), longer / longer.max()))
    lowest = np.log(SIZE_RATIOS[0])
    power = lowest / sizes.min() if sizes.min() < lowest else 1.0
    drawn *= np.exp(sizes * (power - 1))
    return [float(height) for height in drawn / drawn.max()]


def _objects(setting: Setting, cuts: Sequence[bool], squeeze: float) -> list[_Object]:
    aspects = [c.rgba.shape[1] / c.rgba.shape[0] for c in setting.cutouts]
    sizes = relative_sizes(setting.sample.heights, aspects, squeeze)
    canvas = setting.background.size.aspect
    return [_Object(i, *of) for i, of in enumerate(zip([a / canvas for a in aspects], sizes, cuts, strict=True))]


def _ground(background: Background, rng: np.random.Generator) -> _Ground:
    highest, lowest = NEAR_ROWS
    near = max(rng.uniform(min(max(highest, background.ground + DEEP), lowest - 0.03), lowest), background.ground)
    far = max(near - rng.uniform(*DEPTHS) / min(background.size.aspect, 1), background.ground)
    return _Ground(horizon=min(background.horizon, far - MIN_PITCH), far=far, near=near)


def _row(objects: list[_Object], rng: np.random.Generator) -> Slots:
    """Side by side, nearly on one line."""
    return [(item, rng.uniform(0, 0.15)) for item in _shuffled(objects, rng)]


def _diagonal(objects: list[_Object], rng: np.random.Generator) -> Slots:
    """Receding from one side to the other, with the small ones preferably in front."""
    order = sorted(objects, key=lambda t: t.size + rng.uniform(-0.3, 0.3))
    slots = list(zip(order, np.linspace(0, rng.uniform(0.6, 1.0), len(order)).tolist(), strict=True))
    return slots if rng.random() < 0.5 else slots[::-1]


def _arc(objects: list[_Object], rng: np.random.Generator) -> Slots:
    """A half circle, open towards the viewer or away."""
    across = np.linspace(-1, 1, len(objects))
    depths = (1 - across**2) if rng.random() < 0.65 else across**2
    order = _shuffled(objects, rng)
    return [(item, 0.8 * depth + rng.uniform(0, 0.1)) for item, depth in zip(order, depths.tolist(), strict=True)]


def _group(objects: list[_Object], rng: np.random.Generator) -> Slots:
    """Two rows: the tall ones behind, the small ones in the gaps in front of them."""
    order = sorted(objects, key=lambda t: -t.size - rng.uniform(0, 0.25))
    back = len(order) // 2 if rng.random() < 0.5 else (len(order) + 1) // 2
    behind = [(item, rng.uniform(0.6, 1.0)) for item in _shuffled(order[:back], rng)]
    before = [(item, rng.uniform(0.0, 0.2)) for item in _shuffled(order[back:], rng)]
    longer, shorter = sorted((behind, before), key=len, reverse=True)
    return [slot for pair in zip_longest(longer, shorter) for slot in pair if slot is not None]


def _shuffled(objects: Sequence[_Object], rng: np.random.Generator) -> list[_Object]:
    return [objects[i] for i in rng.permutation(len(objects))]


Family = Callable[[list[_Object], np.random.Generator], Slots]


def _families(count: int) -> tuple[Family, ...]:
    if count <= 2:
        return (_row, _diagonal, _group)
    if count == 3:
        return (_row, _diagonal, _arc, _group)
    return (_row, _diagonal, _arc, _group, _group)


@dataclass(frozen=True, slots=True)
class _Stand:
    """The position of one object: the row of its base, the column of its left side, its width and height."""

    index: int
    base: float
    left: float
    width: float
    height: float


def _compose(slots: Slots, ground: _Ground, scale: float, rng: np.random.Generator) -> list[_Stand]:
    """Pack the slots from left to right, then make the group as large as the canvas allows, times `scale`."""
    bases = [1.0 if item.cut else ground.base(distance) for item, distance in slots]
    heights = [item.size * ground.magnification(base) for (item, _), base in zip(slots, bases, strict=True)]
    widths = [item.aspect * height for (item, _), height in zip(slots, heights, strict=True)]
    lefts = _pack(bases, widths, rng)
    span = max(left + width for left, width in zip(lefts, widths, strict=True)) - min(lefts)
    fill = rng.uniform(*FILL)
    tallest = rng.uniform(*MAX_HEIGHTS)
    room = min(min(tallest, base - TOP_MARGIN) / height for base, height in zip(bases, heights, strict=True))
    factor = scale * min(fill / span, room)
    spread = min(rng.uniform(1.0, 1.4), fill / (span * factor)) if len(slots) > 1 else 1.0
    free = 1 - span * factor * spread
    middle = 0.5 + rng.uniform(-0.3, 0.3) * free
    centre = min(lefts) + span / 2
    return [
        _Stand(
            index=item.index,
            base=base,
            left=middle + ((left + width / 2 - centre) * spread - width / 2) * factor,
            width=width * factor,
            height=height * factor,
        )
        for (item, _), base, left, width, height in zip(slots, bases, lefts, widths, heights, strict=True)
    ]


def _pack(bases: Sequence[float], widths: Sequence[float], rng: np.random.Generator) -> list[float]:
    """The objects' left sides: neighbours at one depth keep apart, others may overlap."""
    lefts: list[float] = []
    for i, (base, width) in enumerate(zip(bases, widths, strict=True)):
        left = 0.0
        for j in range(i):
            smaller = min(width, widths[j])
            same = abs(base - bases[j]) < SAME_DEPTH
            gap = rng.uniform(0.03, 0.15) if same else -rng.uniform(0.1, 0.5)
            left = max(left, lefts[j] + widths[j] + gap * smaller)
        lefts.append(left)
    return lefts


def _to_pixels(stands: Sequence[_Stand], setting: Setting, ground: _Ground) -> tuple[Placement, ...]:
    size = setting.background.size
    placements: list[Placement] = []
    for stand in sorted(stands, key=lambda s: s.index):
        rows, columns = setting.cutouts[stand.index].rgba.shape[:2]
        height = max(1, round(stand.height * size.height))
        width = max(1, round(height * columns / rows))
        left = round((stand.left + stand.width / 2) * size.width - width / 2)
        depth = (1 - ground.horizon) / (stand.base - ground.horizon) - 1
        placements.append(
            Placement(x=left, y=round(stand.base * size.height) - height, width=width, height=height, depth=depth)
        )
    return tuple(placements)
