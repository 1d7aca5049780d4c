"""Cut-outs and a background -> Layout: where each object stands (Gen4Gen, stage 2)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from builder.records import Layout, Rejected, Setting
from builder.stages.layout.base import LayoutBackend, LayoutConfig, ThemeBackend, find_flaw
from builder.stages.layout.llm import Llm
from builder.stages.layout.solver import Solver

LAYOUTS: Mapping[str, type[LayoutBackend]] = {"solver": Solver, "llm": Llm}

THEMES: Mapping[str, type[ThemeBackend]] = {"llm": Llm}
"""The layout backends that also propose themes, before the build is planned."""


def arrange(
    settings: Sequence[Setting], backend: LayoutBackend, config: LayoutConfig, seed: int
) -> Iterator[Layout | Rejected]:
    """Place the objects of each setting; reject layouts that break a bound, whichever backend made them."""
    for setting, placed in zip(settings, backend.place(settings, config, seed), strict=True):
        if isinstance(placed, Rejected):
            yield placed
        elif flaw := find_flaw(setting, placed.placements, config.max_overlap):
            yield setting.rejected("layout", flaw)
        else:
            yield placed
