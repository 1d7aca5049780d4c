"""COCO detection and segmentation: `images/` and `annotations/instances_<split>.json`.

A concept is a category: its name is the token, its supercategory the class. Masks are RLE, because polygons have no
holes, and an object behind another one does.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from mycanvas.dataset import Scene
from mycanvas.export.masks import objects_of
from mycanvas.export.source import Source

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def write_coco(source: Source, output: Path) -> None:
    """Write each image, and an annotation file for each split."""
    for folder in ("images", "annotations"):
        (output / folder).mkdir(exist_ok=True)
    categories = {token: number for number, token in enumerate(source.classes, 1)}
    image_id = annotation_id = 0
    for split in source.counts:
        # Both lists grow together; the second is kept on disk, not in memory, until the first is complete.
        with (
            (output / "annotations" / f"instances_{split}.json").open("w", encoding="utf-8") as file,
            tempfile.TemporaryFile("w+", encoding="utf-8", dir=output) as later,
        ):
            file.write(json.dumps(_head(source, categories))[:-1] + ', "images": [')
            images, annotations = _List(file), _List(later)
            for scene in source.scenes(split):
                (output / "images" / f"{scene.id}.jpg").write_bytes(scene.image)
                objects = objects_of(scene)
                image_id += 1
                images.add(_image(scene, image_id, objects))
                for annotation in _annotations(scene, objects, categories):
                    annotation_id += 1
                    annotations.add({"id": annotation_id, "image_id": image_id, **annotation})
            file.write('\n], "annotations": [')
            later.seek(0)
            shutil.copyfileobj(later, file)
            file.write("\n]}\n")


class _List:
    """A JSON list that is written item by item, one to a line."""

    def __init__(self, file: TextIO) -> None:
        self._file, self._separator = file, "\n"

    def add(self, item: Mapping[str, Any]) -> None:
        self._file.write(self._separator + json.dumps(item))
        self._separator = ",\n"


def _head(source: Source, categories: Mapping[str, int]) -> dict[str, Any]:
    return {
        "info": {"description": f"MyCanvas, {source.folder.name}"},
        "licenses": [],
        "categories": [
            {"id": number, "name": token, "supercategory": source.classes[token]}
            for token, number in categories.items()
        ],
    }


def _image(scene: Scene, number: int, objects: NDArray[np.uint8]) -> dict[str, Any]:
    height, width, _ = objects.shape
    names = ("caption", "prompt", "long_caption", "background")
    text = {name: getattr(scene, name) for name in names}
    return {"id": number, "file_name": f"{scene.id}.jpg", "width": width, "height": height, **text}


def _annotations(scene: Scene, objects: NDArray[np.uint8], categories: Mapping[str, int]) -> Iterator[dict[str, Any]]:
    """One annotation for each object. area: its number of visible pixels."""
    from pycocotools import mask as rle

    for index, (encoded, token, box) in enumerate(
        zip(rle.encode(objects), scene.concept_tokens, scene.boxes, strict=True)
    ):
        yield {
            "category_id": categories[token],
            "bbox": box,
            "area": int(objects[..., index].sum(dtype=int)),
            "segmentation": {"size": encoded["size"], "counts": encoded["counts"].decode("ascii")},
            "iscrowd": 0,
        }
