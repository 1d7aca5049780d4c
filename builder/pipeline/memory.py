"""Give memory back to the system between two phases of a build."""

from __future__ import annotations

import ctypes
from contextlib import suppress

import pyarrow as pa


def give_back() -> None:
    """Return what was freed: Arrow's pool and, where the C library is glibc, its heap.

    Scenes leave a heap with holes in it, which Arrow and Python, whose pools are others, do not fill.
    """
    pa.default_memory_pool().release_unused()
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
