"""The only reader of a built dataset: its scenes, source photos and concepts, from disk or any fsspec URL."""

from __future__ import annotations

from mycanvas.dataset.names import file_name
from mycanvas.dataset.pictures import picture_kind
from mycanvas.dataset.places import check_on_this_machine
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
    "check_on_this_machine",
    "concepts_of",
    "file_name",
    "open_dataset",
    "picture_kind",
    "planned_splits",
]
