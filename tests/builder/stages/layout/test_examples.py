"""Examples are read from COCO's files and rescaled, or are our own; other files are refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from builder.stages.layout.examples import BUILT_IN, read_examples
from mycanvas.errors import InputError


def coco(folder: Path, boxes: list[tuple[str, list[float]]], *, name: str = "val2017", **of_first: Any) -> Path:
    """A COCO dataset of one picture, 640 x 480; of_first: additional fields of its first annotation."""
    nouns = sorted({noun for noun, _ in boxes})
    annotations = [
        {"image_id": 9, "category_id": nouns.index(noun), "bbox": box, "iscrowd": 0, **(of_first if not i else {})}
        for i, (noun, box) in enumerate(boxes)
    ]
    instances = {
        "images": [{"id": 9, "width": 640, "height": 480}],
        "categories": [{"id": i, "name": noun} for i, noun in enumerate(nouns)],
        "annotations": annotations,
    }
    captions = {
        "annotations": [{"image_id": 9, "caption": "Two dogs\n in a park. "}, {"image_id": 9, "caption": "No."}]
    }
    (folder / f"instances_{name}.json").write_text(json.dumps(instances))
    (folder / f"captions_{name}.json").write_text(json.dumps(captions))
    return folder


LEFT, RIGHT = [32.0, 120.0, 256.0, 240.0], [320.0, 144.0, 256.0, 288.0]


def test_boxes_are_fractions_of_the_pictures_width_and_height(tmp_path: Path) -> None:
    (example,) = read_examples(coco(tmp_path, [("dog", LEFT), ("dog", RIGHT)]))

    assert example.where == "Two dogs in a park."
    assert example.boxes == {
        "dog": ("dog", pytest.approx((0.05, 0.25, 0.4, 0.5))),
        "dog2": ("dog", pytest.approx((0.5, 0.3, 0.4, 0.6))),
    }


@pytest.mark.parametrize(
    ("boxes", "more"),
    [
        ([("dog", LEFT), ("cat", [0, 0, 60, 60])], {}),
        ([("dog", LEFT), ("cat", [200, 130, 256, 240])], {}),
        ([("dog", LEFT), ("cat", [500, 144, 256, 288])], {}),
        ([("dog", LEFT), ("cat", [float("nan"), 144, 256, 288])], {}),
        ([("dog", LEFT)] * 6, {}),
        ([("dog", LEFT), ("cat", RIGHT)], {"iscrowd": 1}),
    ],
    ids=["small", "hidden", "outside", "no number", "six", "crowd"],
)
def test_picture_that_breaks_a_rule_for_replies_is_not_used(
    tmp_path: Path, boxes: list[tuple[str, list[float]]], more: dict[str, Any]
) -> None:
    with pytest.raises(InputError, match=r"no picture in .* has 1 to 5 large objects"):
        read_examples(coco(tmp_path, boxes, **more))


def test_smallest_pair_of_files_is_read(tmp_path: Path) -> None:
    coco(tmp_path, [("dog", LEFT), ("cat", RIGHT)], name="train2017")
    coco(tmp_path, [("mug", LEFT)], name="val2017")

    assert [list(example.boxes) for example in read_examples(tmp_path)] == [["mug"]]


@pytest.mark.parametrize(
    "text", ["", "[]", "{", '{"images": 1, "annotations": [], "categories": []}', '{"annotations": [1]}', "[" * 99999]
)
def test_error_names_files_that_are_not_cocos(tmp_path: Path, text: str) -> None:
    coco(tmp_path, [("dog", LEFT)])
    (tmp_path / "instances_val2017.json").write_text(text)

    with pytest.raises(InputError, match=r"instances_val2017.json and captions_val2017.json are not COCO's"):
        read_examples(tmp_path)


@pytest.mark.parametrize("width", [0, 10**400])
def test_size_that_no_picture_has_is_an_error(tmp_path: Path, width: int) -> None:
    coco(tmp_path, [("dog", LEFT)])
    instances = tmp_path / "instances_val2017.json"
    annotated = json.loads(instances.read_text())
    annotated["images"][0]["width"] = width
    instances.write_text(json.dumps(annotated))

    with pytest.raises(InputError, match="not COCO's annotations"):
        read_examples(tmp_path)


def test_error_of_a_folder_without_a_pair_names_the_expected_files(tmp_path: Path) -> None:
    coco(tmp_path, [("dog", LEFT)])
    (tmp_path / "captions_val2017.json").unlink()

    with pytest.raises(InputError, match=r"no instances_\*.json with its captions_\*.json"):
        read_examples(tmp_path)


def test_built_in_examples_are_used_without_a_folder() -> None:
    assert read_examples(None) == BUILT_IN
