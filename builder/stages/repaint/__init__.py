"""Canvas -> Scene: make the objects and their background one picture (Gen4Gen, stage 3)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Protocol

from builder.config.schema import RepaintConfig
from builder.pipeline.backends import Runtime
from builder.records import Canvas, Rejected, Rgb, Scene
from mycanvas.errors import MissingExtra


class Repainter(Protocol):
    """Turns pasted objects into a picture, without moving them or changing who they are."""

    def repaint(self, canvases: Sequence[Canvas], seed: int) -> Iterable[Rgb | Rejected]:
        """One uint8 [S, S, 3] picture per canvas, in order."""
        ...


def _blend(config: RepaintConfig, _runtime: Runtime) -> Repainter:
    from builder.stages.repaint.blend import Blend

    return Blend(config)


def _diffusion(config: RepaintConfig, runtime: Runtime) -> Repainter:
    try:
        import diffusers  # noqa: F401
        import torch  # noqa: F401
    except ImportError as missing:
        raise MissingExtra(missing.name or "diffusers", extra="models") from missing
    from builder.stages.repaint.diffusion import Diffusion

    return Diffusion.load(config.diffusion, runtime)


REPAINTERS: Mapping[str, Callable[[RepaintConfig, Runtime], Repainter]] = {"blend": _blend, "diffusion": _diffusion}


def repaint(canvases: Sequence[Canvas], backend: Repainter, seed: int) -> Iterator[Scene | Rejected]:
    """Paint each canvas."""
    for canvas, painted in zip(canvases, backend.repaint(canvases, seed), strict=True):
        yield painted if isinstance(painted, Rejected) else Scene(canvas=canvas, image=painted)
