"""Models from the Hub or from disk: where they lie, which revision they are, what they may be used for, where they run.

Importing this costs nothing: torch, transformers and diffusers are imported by who loads a model.
"""

from mycanvas.models.device import pick_device, pick_dtype, release_memory
from mycanvas.models.fetch import Kind, Snapshot, fetch

__all__ = ["Kind", "Snapshot", "fetch", "pick_device", "pick_dtype", "release_memory"]
