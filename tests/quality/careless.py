"""A layout backend that makes mistakes, which the scores `proportion` and `floating` should find."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from builder.records import Layout, Placement, Rejected, Setting
from builder.seeds import rng_for
from builder.stages.layout.base import LayoutConfig
from builder.stages.layout.solver import Solver


class Careless(Solver):
    """Lifts one object of a third of the scenes, and resizes one of another third."""

    def place(self, settings: Sequence[Setting], config: LayoutConfig, seed: int) -> Iterator[Layout | Rejected]:
        """The solver's layouts, some of them with a mistake."""
        for layout in super().place(settings, config, seed):
            if isinstance(layout, Rejected):
                yield layout
                continue
            rng = rng_for(seed, layout.setting.sample.id, "careless")
            places = list(layout.placements)
            index = int(rng.integers(len(places)))
            size = layout.setting.background.size.height
            mistake = rng.random()
            if mistake < 1 / 3:
                lift = round(float(rng.uniform(0.05, 0.4)) * size)
                places[index] = replace(places[index], y=max(0, places[index].y - lift))
            elif mistake < 2 / 3:
                factor = float(np.exp(rng.choice([-1, 1]) * rng.uniform(0.2, 1.0)))
                places[index] = _resized(places[index], factor, size)
            yield replace(layout, placements=tuple(places))


def _resized(place: Placement, factor: float, size: int) -> Placement:
    """The placement with another size on the same base line, within the canvas."""
    factor = min(factor, (size - 2) / place.height, (size - 2) / place.width)
    height, width = max(1, round(place.height * factor)), max(1, round(place.width * factor))
    left = min(max(0, place.x + (place.width - width) // 2), size - width)
    return replace(place, x=left, y=max(0, place.y + place.height - height), width=width, height=height)
