"""How long trainings and pictures take: measured in a few steps of each method, on the device that will run them."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from builder.reproduce.arms import Arm
from builder.reproduce.config import Reproduction, training
from mycanvas.dataset import open_dataset
from mycanvas.generation.run import generate
from mycanvas.training.run import default_steps, train

STEPS = 4
"""Steps of a trial. Each reads and encodes its pictures, as only the first steps of a training do."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Pace:
    """Seconds of a step, by method, and of a picture."""

    step: Mapping[str, float] = field(default_factory=dict)
    picture: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Work:
    """The remaining work. trainings: the arm and the composition of each. pictures: to generate."""

    trainings: Sequence[tuple[Arm, str]]
    pictures: int

    def hours(self, config: Reproduction, pace: Pace) -> float:
        """How long it takes at a pace."""
        steps = Counter[str]()
        for arm, composition in self.trainings:
            given = training(config, arm, composition).steps
            steps[arm.method] += given or default_steps(composition.count("+") + 1)
        seconds = sum(count * pace.step[method] for method, count in steps.items())
        return (seconds + self.pictures * pace.picture) / 3600


def measure_pace(config: Reproduction, place: Path, work: Work) -> Pace:
    """Try the first training of each method, and a picture. Nothing of it is kept."""
    first: dict[str, tuple[Arm, str]] = {
        arm.method: (arm, composition) for arm, composition in reversed(work.trainings)
    }
    with TemporaryDirectory() as folder:
        step = {
            method: _seconds_of(_train, config, place, Path(folder) / method, *task) / STEPS
            for method, task in first.items()
        }
        picture = _seconds_of(_generate, config, place, Path(folder) / "pictures") if work.pictures else 0.0
    return Pace(step=step, picture=picture)


def _seconds_of(trial: Any, *arguments: Any) -> float:
    """The time of a trial beyond that of a smaller one, which loads the same things."""
    took = []
    for size in (0, 1):
        begin = time.monotonic()
        trial(size, *arguments)
        took.append(time.monotonic() - begin)
    return max(took[1] - took[0], 0.0)


def _train(size: int, config: Reproduction, place: Path, folder: Path, arm: Arm, composition: str) -> None:
    settings = training(config, arm, composition)
    trial = {"steps": 1 + size * STEPS, "class_pictures": min(1, settings.class_pictures)}
    once = {"sample_steps": 1, "sample_every": 0, "log": None}
    train(place, folder / str(size), settings.model_copy(update={**trial, **once}))


def _generate(size: int, config: Reproduction, place: Path, folder: Path) -> None:
    dataset = open_dataset(place)
    generate(
        config.model,
        folder / str(size),
        dataset=dataset,
        compositions=[next(iter(dataset.contents().compositions))],
        pictures=1 + size,
        sampling=config.generate.sampling(),
        batch_size=1,
        device=config.device,
        dtype=config.dtype,
    )
