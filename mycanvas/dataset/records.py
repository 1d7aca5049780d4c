"""Records of a built dataset: a scene, a source photo and a concept. mycanvas/schema.py describes the columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mycanvas.boxes import Box

Encoded = bytes | memoryview
"""An encoded picture: bytes, or a view into a shard. A view of a memory-mapped shard takes no memory of its own."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Scene:
    """One composed scene, a row of `data/`.

    split: the split that its shard belongs to.
    image: a JPEG. mask: a palette PNG. Both are empty where the row has none.
    long_caption: every object with its size, place and neighbours; None in a dataset of an earlier version.
    boxes: x, y, width, height in pixels of the image.
    concept_tokens, class_names, source_images: entry i belongs to boxes[i].
    composition: the names of its concepts, sorted and joined by "+".
    rank: people's rounded mean, 1 to 5; None: not rated.
    provenance: JSON.
    """

    split: str
    id: str
    image: Encoded
    mask: Encoded
    caption: str
    prompt: str
    boxes: tuple[Box, ...]
    concept_tokens: tuple[str, ...]
    class_names: tuple[str, ...]
    background: str
    composition: str
    source_images: tuple[str, ...]
    scores: Mapping[str, float | None]
    rank: int | None
    provenance: str
    long_caption: str | None = None

    @property
    def num_objects(self) -> int:
        """The number of objects in the scene, 1 to 5."""
        return len(self.boxes)


@dataclass(frozen=True, kw_only=True, slots=True)
class Photo:
    """One source photo, a row of `concepts/`.

    id: "dog6/00.jpg". concept: the name of its concept: "dog6".
    image: the photo's file. mask: single-channel PNG, 255 = object; None: no object was found.
    used: whether scenes may show its object.
    quality: the segmenter's trust in the mask, 0 to 1; 1: the photo came as a cut-out. None: no object was found.
    attribution: maker and license; None: not stated.
    """

    id: str
    concept: str
    image: Encoded
    mask: Encoded | None = None
    used: bool = True
    quality: float | None = None
    attribution: str | None = None

    @property
    def file_name(self) -> str:
        """The name of its file within the concept's folder: "00.jpg"."""
        return self.id.rpartition("/")[2]


@dataclass(frozen=True, kw_only=True, slots=True)
class Concept:
    """One object or animal that scenes show.

    name: its folder's: "dog6". token: its word in prompts: "<dog6>".
    class_name: what a detector is asked for: "dog".
    height_cm: its rough real height; None: not known.
    photos: its source photos, in the dataset's order; empty where they were not asked for.
    """

    name: str
    token: str
    class_name: str
    height_cm: float | None = None
    photos: tuple[Photo, ...] = ()
