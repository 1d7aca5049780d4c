"""A toy: coloured solids that stand on z = 0 and face -y."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from builder.demo.sdf import Distances, Points, Solid, union
from builder.demo.sdf_grid import sampled, shell

Colours = NDArray[np.float32]
"""Linear light, float32 [3, N]; or [3, 1], the same everywhere."""
Places = NDArray[np.bool_]
"""A selection of N points, bool [N]."""
Pattern = Callable[[Points], Colours]
"""The colour of each point of a surface."""


@dataclass(frozen=True, slots=True)
class Part:
    """One solid of one material. gloss: 0 (cloth) to 1 (glazed)."""

    solid: Solid
    pattern: Pattern
    gloss: float = 0.3


@dataclass(frozen=True, kw_only=True)
class Toy:
    """An object to photograph.

    grounds: the ground of each view, by its name in `builder.demo.grounds.GROUNDS`.
    facing: angle in degrees from -y to its most recognisable side, counter-clockwise seen from above.
    """

    name: str
    class_noun: str
    height_cm: float
    parts: tuple[Part, ...]
    grounds: tuple[str, str, str, str]
    facing: float = 0

    @cached_property
    def solid(self) -> Solid:
        """The union of all parts."""
        return union(*(part.solid for part in self.parts))

    @cached_property
    def shell(self) -> Points:
        """Points [3, N] all over the surface."""
        return shell(self.solid)

    @cached_property
    def rough(self) -> tuple[Solid, float]:
        """The field sampled on a lattice, and the width of a cell."""
        return sampled(self.solid, self.shell)

    def surface(self, points: Points) -> tuple[Colours, Distances]:
        """Colour [3, N] and gloss [N] of points on the surface: those of the nearest part."""
        nearest = np.argmin(np.stack([part.solid.distance(points) for part in self.parts]), 0)
        colours = np.empty_like(points)
        for index in np.unique(nearest):
            chosen = np.flatnonzero(nearest == index)
            colours[:, chosen] = self.parts[index].pattern(points.take(chosen, 1))
        return colours, np.array([part.gloss for part in self.parts], np.float32)[nearest]


def linear(text: str) -> Colours:
    """Linear light [3, 1] of a colour given as six hexadecimal digits (sRGB's transfer function taken as gamma 2.2)."""
    values = np.frombuffer(bytes.fromhex(text), np.uint8).astype(np.float32) / 255
    return np.asarray(values[:, None] ** 2.2, np.float32)


def plain(text: str) -> Pattern:
    """A pattern of one colour."""
    value = linear(text)
    return lambda p: np.broadcast_to(value, p.shape)


def where(condition: Callable[[Points], Places], inside: str | Pattern, outside: str | Pattern) -> Pattern:
    """One pattern or colour where the condition holds, another elsewhere."""
    first = plain(inside) if isinstance(inside, str) else inside
    second = plain(outside) if isinstance(outside, str) else outside
    return lambda p: np.where(condition(p), first(p), second(p))
