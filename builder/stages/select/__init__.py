"""Select the scenes to keep from people's ranks and the candidates' scores; no picture is read."""

from builder.stages.select.candidates import Candidates, Judged
from builder.stages.select.config import HIGHER_IS_BETTER, OF_DRAWING, FittedScore, SelectConfig
from builder.stages.select.rules import Selection, failed_scene_bound, idle_bounds, select

__all__ = [
    "HIGHER_IS_BETTER",
    "OF_DRAWING",
    "Candidates",
    "FittedScore",
    "Judged",
    "SelectConfig",
    "Selection",
    "failed_scene_bound",
    "idle_bounds",
    "select",
]
