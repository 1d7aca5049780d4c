"""The splits, columns and scores of the dataset: the contract between the builder and all readers.

Importing this is cheap: the functions that return types of pyarrow and datasets import them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import datasets
    import pyarrow as pa

SPLITS = ("objects_le3", "objects_4", "objects_5")
"""By the number of concepts in a scene; scenes of up to three are in the first."""

MAX_OBJECTS = 5
"""The most concepts in one scene."""

SPLIT_TITLES = {"objects_le3": "<= 3 objects", "objects_4": "4 objects", "objects_5": "5 objects"}
"""Titles of the splits in tables, as on the poster."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ScoreField:
    """One score of a scene. low, high: its range; high None: no upper limit. better: which end is good."""

    low: float
    high: float | None
    better: Literal["high", "low"]
    meaning: str

    @property
    def range(self) -> str:
        """The range in words: "0 to 1"."""
        return f"{self.low:g} and more" if self.high is None else f"{self.low:g} to {self.high:g}"


def _score(low: float, high: float | None, better: Literal["high", "low"], meaning: str) -> ScoreField:
    return ScoreField(low=low, high=high, better=better, meaning=meaning)


SCORE_FIELDS: Mapping[str, ScoreField] = {
    "cutout": _score(0, 1, "high", "the segmenter's confidence in the object's cut-out, less what its flaws cost"),
    "visible": _score(0, 1, "high", "fraction of the object that no object in front hides"),
    "overlap": _score(0, 1, "low", "fraction of the object's box that shows other objects"),
    "size": _score(0, 1, "high", "the object's visible area, as a fraction of the image"),
    "border": _score(
        0, 1, "low", "fraction of the object's width or height on an edge of the image, except the lower one"
    ),
    "sharpness": _score(
        0, 1, "high", "fraction of the object's detail that a blur removes; little is left to remove if it is blurred"
    ),
    "seam": _score(0, 1, "low", "fraction of the object's cut edge with a visible line"),
    "exposure": _score(
        0, 1, "low", "difference in lightness between the object and the background around it, in L* / 100"
    ),
    "floating": _score(
        0, 1, "low", "how far the object's foot is above the ground, as a fraction of the image's height"
    ),
    "proportion": _score(
        1, None, "low", "largest factor by which two objects' sizes differ from the ratio of their real heights"
    ),
    "alignment": _score(-1, 1, "high", "cosine of the embeddings of image and caption, by an image-text encoder"),
    "identity": _score(
        -1, 1, "high", "cosine of the embeddings of the object's box and of its cut-out, by the same encoder"
    ),
    "found": _score(
        0, 1, "high", "fraction of the objects that an open-vocabulary detector finds where they were placed"
    ),
    "invented": _score(0, None, "low", "number of additional objects of the same classes that the detector finds"),
    "quality": _score(0, 1, "high", 'similarity of the image to "Good photo." relative to "Bad photo." (CLIP-IQA)'),
}
"""Range and meaning of each score. A scene is as good as its worst object: a score of objects is that of the worst."""

SCORES = tuple(SCORE_FIELDS)
"""Fields of the `scores` column. The last five require models."""


def split_of(num_objects: int) -> str:
    """The split that a scene with 1 to 5 objects belongs to."""
    if not 1 <= num_objects <= 5:
        raise ValueError(f"a scene has 1 to 5 objects, got {num_objects}")
    return SPLITS[max(num_objects, 3) - 3]


def dataset_schema() -> pa.Schema:
    """The Arrow schema of a scene, with the metadata from which `datasets` reads its features.

    id: stable, from the plan. image: JPEG. caption: plain words. prompt: the caption with tokens.
    long_caption: each object with its size, place and neighbours; null in scenes of an earlier version.
    boxes: COCO x, y, width, height in pixels of `image`, the object's visible extent.
    concept_tokens, class_names, source_images: entry i belongs to boxes[i].
    mask: palette PNG, value i+1 = visible pixels of object i, 0 = background.
    composition: its concepts, sorted, joined by "+". scores: one for each name in SCORES.
    rank: people's rank, 1 to 5, or null. provenance: JSON.
    """
    import pyarrow as pa

    strings = pa.list_(pa.string())
    return _schema(
        {
            "id": pa.string(),
            "image": _image(),
            "caption": pa.string(),
            "prompt": pa.string(),
            "long_caption": pa.string(),
            "boxes": pa.list_(pa.list_(pa.float32(), 4)),
            "concept_tokens": strings,
            "class_names": strings,
            "mask": _image(),
            "background": pa.string(),
            "composition": pa.string(),
            "num_objects": pa.int32(),
            "source_images": strings,
            "scores": pa.struct({score: pa.float32() for score in SCORES}),
            "rank": pa.int8(),
            "provenance": pa.string(),
        }
    )


def concepts_schema() -> pa.Schema:
    """The Arrow schema of a source photo (config `concepts`), with the metadata of `dataset_schema`.

    id: "dog6/00.jpg". mask: single-channel PNG, 255 = object; null when no object was found.
    height_cm: the concept's rough real height, given or typical of its class noun, or null.
    quality: the segmenter's confidence in the mask, or null. attribution: maker and license, or null.
    used: whether scenes may show the photo: its quality was sufficient.
    """
    import pyarrow as pa

    return _schema(
        {
            "id": pa.string(),
            "image": _image(),
            "mask": _image(),
            "concept": pa.string(),
            "concept_token": pa.string(),
            "class_name": pa.string(),
            "height_cm": pa.float32(),
            "quality": pa.float32(),
            "used": pa.bool_(),
            "attribution": pa.string(),
        }
    )


def pairs_schema() -> pa.Schema:
    """The Arrow schema of a pair, references and the scene that shows them, with the metadata of `dataset_schema`.

    id, boxes, concept_tokens, class_names, composition, num_objects, source_images: of the scene.
    tgt_img: the scene. prompt: its caption in plain words. As many conditions as objects, in the order of `boxes`, and
    null beyond: cond_img_0 to cond_img_4, the references, and cond_prompt_0 to cond_prompt_4, what they show.
    reference_images: the photos of the references.
    """
    import pyarrow as pa

    strings = pa.list_(pa.string())
    conditions = range(MAX_OBJECTS)
    return _schema(
        {
            "id": pa.string(),
            "tgt_img": _image(),
            "prompt": pa.string(),
            **{f"cond_img_{index}": _image() for index in conditions},
            **{f"cond_prompt_{index}": pa.string() for index in conditions},
            "boxes": pa.list_(pa.list_(pa.float32(), 4)),
            "concept_tokens": strings,
            "class_names": strings,
            "composition": pa.string(),
            "num_objects": pa.int32(),
            "source_images": strings,
            "reference_images": strings,
        }
    )


def features() -> datasets.Features:
    """`dataset_schema` as features of the installed version of `datasets`."""
    from datasets import Features

    return Features.from_arrow_schema(dataset_schema())


def concepts_features() -> datasets.Features:
    """`concepts_schema` as features of the installed version of `datasets`."""
    from datasets import Features

    return Features.from_arrow_schema(concepts_schema())


def _image() -> pa.DataType:
    """The type in which `datasets` stores an Image: the encoded file, and a path, which is null here."""
    import pyarrow as pa

    return pa.struct({"bytes": pa.binary(), "path": pa.string()})


def _schema(columns: dict[str, pa.DataType]) -> pa.Schema:
    import pyarrow as pa

    info = {"info": {"features": {name: _feature(kind) for name, kind in columns.items()}}}
    return pa.schema(columns, metadata={"huggingface": json.dumps(info)})


def _feature(kind: pa.DataType) -> dict[str, Any]:
    """One Arrow type as `datasets` writes it in JSON.

    Lists are written as "Sequence": datasets 3.6 knows no other name, and 5.x reads it as List.
    """
    import pyarrow as pa

    if kind == _image():
        return {"_type": "Image"}
    if pa.types.is_struct(kind):
        return {field.name: _feature(field.type) for field in kind}
    if pa.types.is_fixed_size_list(kind):
        return {"feature": _feature(kind.value_type), "length": kind.list_size, "_type": "Sequence"}
    if pa.types.is_list(kind):
        return {"feature": _feature(kind.value_type), "_type": "Sequence"}
    return {"dtype": "float32" if pa.types.is_float32(kind) else str(kind), "_type": "Value"}
