"""The one contract between who writes shards (builder) and who reads them: splits, columns, scores.

Importing this costs nothing: pyarrow and datasets are imported by the functions that return their types.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import datasets
    import pyarrow as pa

SPLITS = ("objects_le3", "objects_4", "objects_5")
"""By how many concepts a scene shows; three or fewer share the first."""

SCORES = ("cutout", "visible", "overlap", "size", "border", "sharpness", "seam", "exposure")
"""Fields of the `scores` column; what each measures is written in builder/score."""


def split_of(num_objects: int) -> str:
    """The split that a scene with 1 to 5 objects belongs to."""
    if not 1 <= num_objects <= 5:
        raise ValueError(f"a scene has 1 to 5 objects, got {num_objects}")
    return SPLITS[max(num_objects, 3) - 3]
