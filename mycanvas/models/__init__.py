"""Models from the Hub or from disk: their files, revisions, licenses and devices.

Importing this is cheap: torch, transformers and diffusers are imported when a model is loaded.
"""

from mycanvas.models.batches import in_batches
from mycanvas.models.catalogue import KNOWN, About
from mycanvas.models.device import cores, limit_threads, pick_device, pick_dtype, release_memory
from mycanvas.models.download import Kind, Snapshot, fetch, is_local, size_of, split_name
from mycanvas.models.onnx_files import ONNX, RELEASE

__all__ = [
    "KNOWN",
    "ONNX",
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
