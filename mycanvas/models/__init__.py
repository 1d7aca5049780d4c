"""Models from the Hub or from disk: where they lie, which revision they are, what they may be used for, where they run.

Importing this costs nothing: torch, transformers and diffusers are imported by who loads a model.
"""

from mycanvas.models.batches import in_batches
from mycanvas.models.catalogue import KNOWN, About
from mycanvas.models.device import cores, limit_threads, pick_device, pick_dtype, release_memory
from mycanvas.models.download import Kind, Snapshot, fetch, is_local, size_of, split_name
from mycanvas.models.onnx_files import RELEASE

__all__ = [
    "KNOWN",
    "RELEASE",
    "About",
    "Kind",
    "Snapshot",
    "cores",
    "fetch",
    "in_batches",
    "is_local",
    "limit_threads",
    "pick_device",
    "pick_dtype",
    "release_memory",
    "size_of",
    "split_name",
]
