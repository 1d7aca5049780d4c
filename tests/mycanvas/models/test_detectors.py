"""Detectors on tiny checkpoints, against boxes worked out from the models' raw outputs."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import load_file, save_file

from mycanvas.models.detectors import Asked, Detection, PretrainedDetector, Raw, load_detector

Model = Callable[[str], Path]
EVERY = ("owlvit", "owlv2", "grounding_dino")
LABELS = (["dog", "cat", "dog"], ["teapot"], ["zebra", "cat", "ball"], [], ["dog"])
"""The labels to detect in each picture: one twice, one, three of which one is not in the vocabulary, none, one."""


@pytest.fixture(scope="module")
def pictures() -> list[NDArray[np.uint8]]:
    draw = np.random.default_rng(0)
    sizes = ((80, 100), (100, 80), (90, 90), (80, 100), (80, 100))
    return [draw.integers(0, 256, (*size, 3), dtype=np.uint8) for size in sizes]


def assert_same(ones: Sequence[Detection] | None, others: Sequence[Detection] | None) -> None:
    assert ones is not None
    assert others is not None
    assert [one.label for one in ones] == [other.label for other in others]
    assert np.allclose([(*one.box, one.score) for one in ones], [(*one.box, one.score) for one in others], atol=1e-3)


@pytest.mark.parametrize("name", EVERY)
def test_detections_depend_only_on_the_picture_and_its_labels(
    tiny_model: Model, pictures: list[NDArray[np.uint8]], name: str
) -> None:
    detector = load_detector(tiny_model(name), threshold=0.1, batch_size=3)
    found = detector.detect(pictures, LABELS)

    assert [bool(each) for each in found] == [True, True, True, False, True]
    for picture, labels, together in zip(pictures, LABELS, found, strict=True):
        (alone,) = detector.detect([Image.fromarray(picture)], [labels])
        assert_same(together, alone)
    for one, other in zip(found, detector.detect(pictures[::-1], LABELS[::-1])[::-1], strict=True):
        assert_same(one, other)


@pytest.mark.parametrize("name", EVERY)
def test_detections_have_requested_labels_are_inside_the_picture_and_best_first(
    tiny_model: Model, pictures: list[NDArray[np.uint8]], name: str
) -> None:
    for picture, labels, found in zip(
        pictures, LABELS, load_detector(tiny_model(name), threshold=0.05).detect(pictures, LABELS), strict=True
    ):
        assert found is not None
        assert {one.label for one in found} <= set(labels)
        assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)
        assert all(0.05 < one.score <= 1 for one in found)
        for x, y, width, height in (one.box for one in found):
            assert 0 <= x < x + width <= picture.shape[1]
            assert 0 <= y < y + height <= picture.shape[0]


@pytest.mark.parametrize("name", ["owlvit", "owlv2"])
@pytest.mark.parametrize("size", [(80, 100), (100, 80)])
def test_boxes_are_in_pixels_of_the_picture_and_clipped_to_it(
    tiny_model: Model, name: str, size: tuple[int, int]
) -> None:
    from transformers import AutoModelForZeroShotObjectDetection, AutoProcessor

    picture = np.random.default_rng(1).integers(0, 256, (*size, 3), dtype=np.uint8)
    folder = tiny_model(name)
    inputs = AutoProcessor.from_pretrained(folder)(
        images=[picture], text=[["a photo of a dog", "a photo of a cat"]], return_tensors="pt"
    )
    with torch.inference_mode():
        outputs = AutoModelForZeroShotObjectDetection.from_pretrained(folder)(**inputs)
    height, width = size
    # OWL-ViT stretches a picture to a square; OWLv2 pads it below and on the right.
    across, down = (max(size), max(size)) if name == "owlv2" else (width, height)
    expected, left_the_picture = [], 0
    for logits, (x, y, w, h) in zip(outputs.logits[0].tolist(), outputs.pred_boxes[0].tolist(), strict=True):
        left, top = max((x - w / 2) * across, 0), max((y - h / 2) * down, 0)
        right, bottom = min((x + w / 2) * across, width), min((y + h / 2) * down, height)
        left_the_picture += (x + w / 2) * across > width or x - w / 2 < 0
        if right > left and bottom > top:
            score = 1 / (1 + np.exp(-max(logits)))
            label = ("dog", "cat")[int(np.argmax(logits))]
            expected.append(Detection(label=label, box=(left, top, right - left, bottom - top), score=score))

    (found,) = load_detector(folder, threshold=0.0, overlap=1.0).detect([picture], [["dog", "cat"]])

    assert left_the_picture
    assert_same(found, sorted(expected, key=lambda one: -one.score))


def test_confidence_of_a_grounding_dino_label_is_the_highest_of_its_tokens(tiny_model: Model) -> None:
    from transformers import AutoModelForZeroShotObjectDetection, AutoProcessor

    picture = np.random.default_rng(1).integers(0, 256, (80, 100, 3), dtype=np.uint8)
    folder = tiny_model("grounding_dino")
    inputs = AutoProcessor.from_pretrained(folder)(images=[picture], text=["zeb. dog."], return_tensors="pt")
    with torch.inference_mode():
        outputs = AutoModelForZeroShotObjectDetection.from_pretrained(folder)(**inputs)
    expected = []
    # Tokens are [CLS] z ##e ##b . dog . [SEP].
    for logits, (x, y, w, h) in zip(outputs.logits[0].tolist(), outputs.pred_boxes[0].tolist(), strict=True):
        zebra, dog = max(logits[1:4]), logits[5]
        label, score = ("Zeb.", zebra) if zebra > dog else ("dog", dog)
        left, top, right, bottom = x - w / 2, y - h / 2, min(x + w / 2, 1), min(y + h / 2, 1)
        box = (max(left, 0) * 100, max(top, 0) * 80, (right - max(left, 0)) * 100, (bottom - max(top, 0)) * 80)
        expected.append(Detection(label=label, box=box, score=1 / (1 + np.exp(-score))))

    (found,) = load_detector(folder, threshold=0.0, overlap=1.0).detect([picture], [["Zeb.", "dog"]])

    assert {one.label for one in found or ()} == {"Zeb.", "dog"}
    by_place = sorted(expected, key=lambda one: one.box), sorted(found or (), key=lambda one: one.box)
    assert_same(*by_place)


def test_label_is_inserted_into_the_template(tiny_model: Model, pictures: list[NDArray[np.uint8]]) -> None:
    folder = tiny_model("owlv2")

    (plain,) = load_detector(folder, template="{}").detect(pictures[:1], [["a photo of a dog"]])
    (filled,) = load_detector(folder).detect(pictures[:1], [["dog"]])
    (bare,) = load_detector(folder, template="{}").detect(pictures[:1], [["dog"]])

    assert [(one.box, one.score) for one in plain or ()] == [(one.box, one.score) for one in filled or ()]
    assert [one.score for one in bare or ()] != [one.score for one in filled or ()]


def test_duplicate_labels_are_queried_once_and_no_labels_not_at_all(
    pictures: list[NDArray[np.uint8]],
) -> None:
    asked: list[list[str]] = []

    def ask(batch: Sequence[Asked]) -> list[Raw | None]:
        asked.extend(labels for _, labels in batch)
        return [[] for _ in batch]

    assert PretrainedDetector(ask, overlap=0.5, batch_size=2).detect(pictures, LABELS) == [[]] * 5
    assert asked == [["dog", "cat"], ["teapot"], ["zebra", "cat", "ball"], ["dog"]]


def test_overlapping_detections_of_one_label_are_dropped(tiny_model: Model, pictures: list[NDArray[np.uint8]]) -> None:
    counts = []
    for overlap in (1.0, 0.5, 0.0):
        (found,) = load_detector(tiny_model("owlv2"), threshold=0.0, overlap=overlap).detect(pictures[:1], [["dog"]])
        counts.append(len(found or ()))

    assert counts[0] > counts[1] > counts[2] > 0


@pytest.mark.parametrize("name", EVERY)
def test_detections_with_nan_scores_are_none_and_not_empty(
    tiny_model: Model, pictures: list[NDArray[np.uint8]], tmp_path: Path, name: str
) -> None:
    broken = shutil.copytree(tiny_model(name), tmp_path / "broken")
    weights = load_file(broken / "model.safetensors")
    for key in weights:
        if "box_head" in key or "bbox_embed" in key:
            weights[key][:] = torch.nan
    save_file(weights, broken / "model.safetensors", metadata={"format": "pt"})

    assert load_detector(broken).detect(pictures[:2], [["dog"], []]) == [None, []]
