"""Scenes that have only what captions depend on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np

from builder.records import Background, BackgroundRef, Canvas, Concept, Layout, Placement, Sample, Scene, Setting

SIDE = 100
Spot: TypeAlias = tuple[str, int, int, int, int]
"""Class noun, left, base (the row on which it stands), width, height."""


def make_scene(spots: Sequence[Spot], *, sample_id: str = "s0", where: str = "in a garden") -> Scene:
    """A scene that has only what captions depend on: no cut-outs, and black pixels."""
    concepts = tuple(
        Concept(name=f"c{i}", token=f"<c{i}>", class_noun=spot[0], height_cm=None, photos=())
        for i, spot in enumerate(spots)
    )
    pixels = np.zeros((SIDE, SIDE, 3), np.uint8)
    sample = Sample(
        id=sample_id,
        concepts=concepts,
        photo_ids=tuple(f"{concept.name}/0.jpg" for concept in concepts),
        background=BackgroundRef(scene="garden", phrase=where),
    )
    setting = Setting(sample=sample, cutouts=(), background=Background(pixels=pixels, horizon=0.3, ground=0.4))
    placements = tuple(
        Placement(x=x, y=base - height, width=width, height=height, depth=SIDE / base - 1)
        for _, x, base, width, height in spots
    )
    canvas = Canvas(
        layout=Layout(setting=setting, placements=placements),
        layers=(),
        mask=pixels[..., 0],
        boxes=tuple((float(p.x), float(p.y), float(p.width), float(p.height)) for p in placements),
        visible=tuple(1.0 for _ in placements),
    )
    return Scene(canvas=canvas, image=pixels)
