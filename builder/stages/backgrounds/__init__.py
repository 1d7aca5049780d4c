"""Backgrounds of scenes: photos from a folder, or painted scenes where there are none."""

from builder.sources.background_photos import FoundBackgrounds, find_backgrounds
from builder.stages.backgrounds.procedural import paint_scene, procedural_backgrounds
from builder.stages.backgrounds.source import BackgroundSource

__all__ = ["BackgroundSource", "FoundBackgrounds", "find_backgrounds", "paint_scene", "procedural_backgrounds"]
