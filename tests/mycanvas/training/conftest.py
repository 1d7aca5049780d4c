"""A small dataset to train on, and trainings of tiny models."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import pytest

from mycanvas.dataset import open_dataset
from mycanvas.training.run import train
from mycanvas.training.settings import Running, Settings

TinyModel = Callable[[str], Path]


class Train(Protocol):
    """Trains into a folder for a few steps; options: of Settings and Running. Returns the folder."""

    def __call__(self, output: Path, kind: str, composition: str, **options: Any) -> Path: ...


RUNNING = ("accumulate", "checkpoint_every", "sample_every", "checkpointing", "log")


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
        running = {name: options.pop(name) for name in RUNNING if name in options}
        few = {"steps": 2, "batch_size": 2, "class_pictures": 0, "method": "cd"}
        settings = Settings(composition=composition, model=str(tiny_model(kind)), **(few | options))
        train(built, output, settings, Running(device="cpu", sample_steps=2, **running))
        return output

    return trained
