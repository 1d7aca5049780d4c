"""A dataset of two compositions, and a model that paints each picture in the colour of its seed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from mycanvas.dataset import Dataset, open_dataset
from mycanvas.models.text_to_image import Sampling, TextToImage
from mycanvas.schema import concepts_schema, dataset_schema
from tests.mycanvas.conftest import encoded, write_shard

CLASSES = {"cat2": "cat", "dog6": "dog", "owl": "owl"}


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory, scene: Callable[[str], dict[str, Any]]) -> Dataset:
    """Scenes of cat2+dog6 and cat2+owl in a garden."""
    folder = tmp_path_factory.mktemp("scenes")
    rows = [
        {
            **scene(f"{number}"),
            "concept_tokens": [f"<{name}>" for name in names],
            "class_names": [CLASSES[name] for name in names],
        }
        for number, names in enumerate((["dog6", "cat2"], ["cat2", "owl"]))
    ]
    photo = {"bytes": encoded(Image.new("RGB", (8, 8)), "JPEG"), "path": None}
    photos = [
        {"id": f"{name}/0.jpg", "image": photo, "concept": name, "concept_token": f"<{name}>", "class_name": noun}
        for name, noun in CLASSES.items()
    ]
    write_shard(folder / "data/objects_le3-00000-of-00001.arrow", rows, dataset_schema())
    write_shard(folder / "concepts/train-00000-of-00001.arrow", photos, concepts_schema())
    return open_dataset(folder)


class Painter(TextToImage):
    """Paints each picture in the colour of its seed; notes the prompts, and runs out of memory or is stopped.

    most: pictures that fit into memory. stop_at: the number of pictures after which the process is stopped.
    """

    def __init__(self, most: int = 99, stop_at: int = 99) -> None:
        super().__init__(None, Sampling())
        self.batches: list[list[str]] = []
        self._most, self._stop_at = most, stop_at

    def generate(self, prompts: Sequence[str], seeds: Sequence[int]) -> NDArray[np.uint8]:
        import torch

        if len(prompts) > self._most:
            raise torch.OutOfMemoryError
        if sum(map(len, self.batches)) >= self._stop_at:
            raise KeyboardInterrupt
        self.batches.append(list(prompts))
        return np.stack([np.full((8, 8, 3), [seed % 251, seed % 241, 200], np.uint8) for seed in seeds])

    def load(self, *_given: object, **_settings: object) -> TextToImage:
        return self


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "generated"
