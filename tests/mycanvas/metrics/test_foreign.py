"""Datasets that this program did not write are scored, or what is wrong with them is named."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from mycanvas.dataset import open_dataset
from mycanvas.errors import InputError
from mycanvas.metrics.evaluate import evaluate
from mycanvas.metrics.pictures import dataset_pictures
from mycanvas.metrics.references import encode_references
from mycanvas.metrics.settings import Settings
from mycanvas.schema import concepts_schema, dataset_schema
from tests.mycanvas.conftest import write_shard
from tests.mycanvas.export.conftest import photo_row, picture
from tests.mycanvas.export.test_foreign_pictures import jpeg_bomb, png_bomb
from tests.mycanvas.metrics.fakes import Colours

Scene = Callable[[str], dict[str, Any]]


class NothingFound:
    """A detector that finds no object."""

    def detect(self, pictures: Sequence[object], labels: Sequence[Sequence[str]]) -> list[list[Any]]:
        return [[] for _ in zip(pictures, labels, strict=True)]


@pytest.fixture
def score(tmp_path: Path, scene: Scene) -> Callable[..., Any]:
    """Writes a dataset of two scenes, the second changed, and evaluates it."""

    def evaluated(changed: dict[str, Any], photo: dict[str, Any]) -> Any:
        dog = photo_row("dog6/00.jpg", **photo)
        cat = photo_row("cat2/00.jpg", concept_token="<cat2>", class_name="cat")
        rows = [scene("a"), {**scene("b"), **changed}]
        write_shard(tmp_path / "foreign/data/objects_le3-00000-of-00001.arrow", rows, dataset_schema())
        write_shard(tmp_path / "foreign/concepts/train-00000-of-00001.arrow", [dog, cat], concepts_schema())
        dataset, settings = open_dataset(tmp_path / "foreign"), Settings()
        concepts = dataset.concepts()
        references = encode_references(concepts.values(), Colours(), settings)
        pictures = dataset_pictures(dataset, concepts)
        return evaluate(pictures, references, Colours(), NothingFound(), settings)

    return evaluated


@pytest.mark.parametrize(
    ("changed", "photo", "said"),
    [
        ({"concept_tokens": ["<dog6>", None]}, {}, "scene b of .* in concept_tokens"),
        ({"class_names": None}, {}, "scene b of .* has no class_names"),
        ({"boxes": [None, None]}, {}, "scene b of .* each box"),
        ({"id": None}, {}, "the id None in .* cannot name a file"),
        ({"id": "x" * 5000}, {}, "the id 'x+…, of 5002 characters, in .* cannot name a file"),
        ({}, {"concept": None}, "the source photo 'dog6/00.jpg' of .* has no concept"),
        ({}, {"image": picture(jpeg_bomb(65_000))}, "the source photo dog6/00.jpg: too many pixels"),
    ],
)
def test_what_is_wrong_is_named(
    score: Callable[..., Any], changed: dict[str, Any], photo: dict[str, Any], said: str
) -> None:
    with pytest.raises(InputError, match=said):
        score(changed, photo)


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_a_bomb_is_left_out_and_a_mask_is_not_decoded(score: Callable[..., Any]) -> None:
    found = score({"image": picture(jpeg_bomb(65_000)), "mask": picture(png_bomb(65_000))}, {})

    assert [one.id for one in found.left_out] == ["b"]
    assert "too many pixels" in found.left_out[0].reason
    assert len(found.pictures) == 1
