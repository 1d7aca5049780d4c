from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as rle
from pycocotools.coco import COCO

from mycanvas.export import export
from tests.mycanvas.export.conftest import Row


@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")  # pycocotools'
def test_pycocotools_reads_every_scene_and_object(dataset: Path, scenes: dict[str, list[Row]], out: Path) -> None:
    export(dataset, "coco", out)

    seen = []
    for split, rows in scenes.items():
        coco = COCO(str(out / "annotations" / f"instances_{split}.json"))
        images = coco.loadImgs(coco.getImgIds())
        assert [image["file_name"] for image in images] == [f"{row['id']}.jpg" for row in rows]
        for image, row in zip(images, rows, strict=True):
            assert (out / "images" / image["file_name"]).read_bytes() == row["image"]
            assert (image["width"], image["height"]) == Image.open(io.BytesIO(row["image"])).size
            assert (image["caption"], image["prompt"]) == (row["caption"], row["prompt"])
            check_objects(coco, image["id"], row)
            seen.append(image["id"])
        seen.extend(coco.getAnnIds())
    images = sum(len(rows) for rows in scenes.values())
    objects = sum(row["num_objects"] for rows in scenes.values() for row in rows)
    assert sorted(seen) == sorted([*range(1, images + 1), *range(1, objects + 1)])  # no number twice in any split


def check_objects(coco: COCO, image: int, row: Row) -> None:
    """Each annotation of an image says what its row says."""
    numbers = np.asarray(Image.open(io.BytesIO(row["mask"])))
    annotations = coco.loadAnns(coco.getAnnIds(imgIds=[image]))
    assert [annotation["bbox"] for annotation in annotations] == row["boxes"]
    for index, annotation in enumerate(annotations):
        shown = numbers == index + 1
        assert np.array_equal(coco.annToMask(annotation), shown)
        assert rle.toBbox(coco.annToRLE(annotation)).tolist() == row["boxes"][index]
        assert annotation["area"] == shown.sum() > 0
        assert annotation["iscrowd"] == 0
        (category,) = coco.loadCats([annotation["category_id"]])
        assert (category["name"], category["supercategory"]) == (
            row["concept_tokens"][index],
            row["class_names"][index],
        )
