"""A small dataset to train on, and trainings of tiny models."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import pytest

from mycanvas.dataset import open_dataset
from mycanvas.training.run import train
from mycanvas.training.settings import read_settings

TinyModel = Callable[[str], Path]


class Train(Protocol):
    """Trains into a folder for a few steps; options: of Settings. Returns the folder."""

    def __call__(self, output: Path, kind: str, composition: str, **options: Any) -> Path: ...


@pytest.fixture(scope="session")
def built(build_shapes: Callable[[int, int], Path]) -> Path:
    """24 scenes of 128 x 128 pixels, of compositions of two to five concepts."""
    return build_shapes(24, 128)


@pytest.fixture(scope="session")
def compositions(built: Path) -> dict[int, str]:
    """The name of a composition by its number of concepts."""
    return {len(tokens): name for name, tokens in open_dataset(built).contents().compositions.items()}


@pytest.fixture
def run(built: Path, tiny_model: TinyModel) -> Train:
    def trained(output: Path, kind: str, composition: str, **options: Any) -> Path:
        few = {"steps": 2, "batch_size": 2, "class_pictures": 0, "sample_steps": 2, "device": "cpu"}
        named = {"composition": composition, "model": str(tiny_model(kind))}
        train(built, output, read_settings({**named, **few, **options}))
        return output

    return trained
