"""Canvas -> Scene: blend the objects and their background into one picture (Gen4Gen, stage 3)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from builder.records import Canvas, Rejected, Scene
from builder.stages.repaint.base import RepaintConfig, Repainter
from builder.stages.repaint.blend import Blend
from builder.stages.repaint.diffusion import Diffusion

REPAINTERS: Mapping[str, type[Repainter]] = {"blend": Blend, "diffusion": Diffusion}


def repaint(
    canvases: Sequence[Canvas],
    backend: Repainter,
    config: RepaintConfig,  # noqa: ARG001 - every stage takes one
    seed: int,
) -> Iterator[Scene | Rejected]:
    """Repaint each canvas; one result per canvas, in order."""
    for canvas, painted in zip(canvases, backend.repaint(canvases, seed), strict=True):
        yield painted if isinstance(painted, Rejected) else Scene(canvas=canvas, image=painted)
