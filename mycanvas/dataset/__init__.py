"""The only reader of a built dataset: its scenes, source photos and concepts, from disk or any fsspec URL."""

from __future__ import annotations

from mycanvas.dataset.names import check_id, check_name
from mycanvas.dataset.planned_scenes import planned_splits
from mycanvas.dataset.reader import Contents, Dataset, concepts_of, open_dataset
from mycanvas.dataset.records import Concept, Encoded, Photo, Scene

__all__ = [
    "Concept",
    "Contents",
    "Dataset",
    "Encoded",
    "Photo",
    "Scene",
    "check_id",
    "check_name",
    "concepts_of",
    "open_dataset",
    "planned_splits",
]
