"""What scenes stand on: photos from a folder, or painted scenes where there are none."""

from builder.backgrounds.folder import FoundBackgrounds, find_backgrounds
from builder.backgrounds.procedural import paint_scene, procedural_backgrounds
from builder.backgrounds.source import BackgroundSource

__all__ = ["BackgroundSource", "FoundBackgrounds", "find_backgrounds", "paint_scene", "procedural_backgrounds"]
