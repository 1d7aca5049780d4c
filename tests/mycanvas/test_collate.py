"""Rows of scenes to batches, through a real DataLoader."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import datasets
import numpy as np
import pytest
from PIL import Image

from mycanvas.collate import collate
from mycanvas.errors import InputError, MissingExtra
from mycanvas.schema import SCORES, features

torch = pytest.importorskip("torch")


@pytest.fixture(scope="module")
def scenes(scene: Callable[[str], dict[str, Any]]) -> datasets.Dataset:
    """Two scenes with two objects, then one with one, which has a rank."""
    small = {**scene("c"), "boxes": [[1, 2, 4, 4]], "concept_tokens": ["<dog6>"], "class_names": ["dog"], "rank": 4}
    small["scores"] = {**small["scores"], "identity": None}
    return datasets.Dataset.from_list([scene("a"), scene("b"), small], features=features())


@pytest.mark.parametrize("layout", [None, "torch"])
def test_a_loader_gives_the_same_types_for_equal_and_for_ragged_rows(scenes: Any, layout: str | None) -> None:
    loader = torch.utils.data.DataLoader(scenes.with_format(layout), batch_size=2, collate_fn=collate)
    equal, ragged = next(iter(loader)), collate([scenes.with_format(layout)[index] for index in (1, 2)])

    for batch in (equal, ragged):
        assert (batch["image"].shape, batch["image"].dtype) == ((2, 3, 12, 16), torch.uint8)
        assert (batch["mask"].shape, batch["mask"].dtype) == ((2, 1, 12, 16), torch.uint8)
        assert batch["num_objects"].dtype == torch.int64
        assert batch["scores"]["visible"].tolist() == [0.5, 0.5]
        assert batch["rank"].dtype == batch["scores"]["identity"].dtype == torch.float32
        assert [boxes.dtype for boxes in batch["boxes"]] == [torch.float32] * 2
        assert isinstance(batch["prompt"], list)
    assert [boxes.shape for boxes in equal["boxes"]] == [(2, 4), (2, 4)]
    assert [boxes.shape for boxes in ragged["boxes"]] == [(2, 4), (1, 4)]
    assert equal["concept_tokens"] == [["<dog6>", "<cat2>"]] * 2
    assert ragged["concept_tokens"] == [["<dog6>", "<cat2>"], ["<dog6>"]]
    assert torch.isnan(ragged["rank"]).tolist() == [True, False]
    assert torch.isnan(ragged["scores"]["identity"]).tolist() == [False, True]
    assert set(ragged) == set(scenes.column_names)
    assert set(ragged["scores"]) == set(SCORES)


def test_pixels_are_kept(scenes: Any) -> None:
    batch = collate([scenes[0], scenes[1]])

    assert batch["image"][1].permute(1, 2, 0).numpy().tolist() == np.asarray(scenes[1]["image"]).tolist()
    assert batch["mask"][0, 0].numpy().tolist() == np.asarray(scenes[0]["mask"]).tolist()
    assert batch["boxes"][0].tolist() == [[1, 2, 4, 4], [8, 4, 7, 6]]


def test_source_photos_of_several_sizes_and_without_a_mask_stay_a_list() -> None:
    rows = [
        {"image": Image.new("RGB", (8, 6)), "mask": Image.new("L", (8, 6)), "height_cm": None, "used": True},
        {"image": Image.new("RGB", (5, 9)), "mask": None, "height_cm": 30.0, "used": False},
    ]
    batch = collate(rows)

    assert [image.shape for image in batch["image"]] == [(3, 6, 8), (3, 9, 5)]
    assert batch["mask"][0].shape == (1, 6, 8)
    assert batch["mask"][1] is None
    assert torch.isnan(batch["height_cm"]).tolist() == [True, False]
    assert batch["used"].tolist() == [True, False]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([[1, 2, 3], [4, 5, 6]], torch.tensor([[1, 2, 3], [4, 5, 6]])),
        ([np.zeros(2), np.ones(2)], torch.tensor([[0.0, 0.0], [1.0, 1.0]])),
        ([torch.ones(1, 2), torch.zeros(1, 2)], torch.tensor([[[1.0, 1.0]], [[0.0, 0.0]]])),
        ([np.int32(3), np.int32(4)], torch.tensor([3, 4], dtype=torch.int32)),
    ],
)
def test_columns_that_a_transform_adds_are_stacked(values: list[Any], expected: Any) -> None:
    stacked = collate([{"input_ids": value} for value in values])["input_ids"]

    assert stacked.dtype == expected.dtype
    assert torch.equal(stacked, expected)


@pytest.mark.parametrize(
    "values", [[[1], [2, 3]], [["a"], ["b"]], [[], [1]], [{"bytes": b"x", "path": None}] * 2, [b"x", b"y"]]
)
def test_ragged_and_other_columns_stay_lists(values: list[Any]) -> None:
    found = collate([{"a": value} for value in values])["a"]

    assert isinstance(found, list)
    assert [value.tolist() if isinstance(value, torch.Tensor) else value for value in found] == values


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "got no rows"),
        (["a", "b"], r"got str; use it as DataLoader\(…, collate_fn=collate\)"),
        ([{"a": 1}, {"a": 1, "b": 2}], "only some have b"),
    ],
)
def test_other_input_is_refused(rows: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        collate(rows)


def test_without_torch_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)

    with pytest.raises(MissingExtra, match=r"mycanvas\[models\]"):
        collate([{"a": 1}])


def test_importing_it_imports_neither_torch_nor_datasets() -> None:
    program = "import sys, mycanvas.collate; print([name for name in ('torch', 'datasets') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"
