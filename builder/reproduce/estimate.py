"""How long trainings and pictures take: measured in a few steps of each method, on the device that will run them."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from builder.reproduce.arms import Arm
from builder.reproduce.config import Reproduction, training
from mycanvas.dataset import open_dataset
from mycanvas.generation.run import generate
from mycanvas.training.run import default_steps, train

TRIALS = ".trials-"
"""Start of the name of the folder for trials, which are removed."""
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
    """Try the first training of each method, and a picture. Nothing of it is kept, but class pictures in the cache."""
    first: dict[str, tuple[Arm, str]] = {
        arm.method: (arm, composition) for arm, composition in reversed(work.trainings)
    }
    with TemporaryDirectory(dir=config.output, prefix=TRIALS) as folder:
        trials = {
            method: partial(_train, config, place, Path(folder) / method, *task) for method, task in first.items()
        }
        step = {method: _seconds_of(trial, 1, 1 + STEPS) / STEPS for method, trial in trials.items()}
        picture = partial(_generate, config, place, Path(folder) / "pictures")
        return Pace(step=step, picture=_seconds_of(picture, 1, 2) if work.pictures else 0.0)


def _seconds_of(trial: Callable[[str, int], None], small: int, large: int) -> float:
    """The time of a trial beyond that of a smaller one. A first one starts the device, and fills caches."""
    took = []
    for name, size in (("first", small), ("small", small), ("large", large)):
        begin = time.monotonic()
        trial(name, size)
        took.append(time.monotonic() - begin)
    return max(took[2] - took[1], 0.0)


def _train(config: Reproduction, place: Path, folder: Path, arm: Arm, composition: str, name: str, steps: int) -> None:
    settings = training(config, arm, composition)
    trial = {"steps": steps, "class_pictures": min(1, settings.class_pictures)}
    once = {"sample_steps": 1, "sample_every": 0, "log": None}
    train(place, folder / name, settings.model_copy(update={**trial, **once}))


def _generate(config: Reproduction, place: Path, folder: Path, name: str, pictures: int) -> None:
    dataset = open_dataset(place)
    generate(
        config.model,
        folder / name,
        dataset=dataset,
        compositions=[next(iter(dataset.contents().compositions))],
        pictures=pictures,
        sampling=config.generate.sampling(),
        batch_size=1,
        device=config.device,
        dtype=config.dtype,
        offload=config.generate.offload,
        safety_checker=False,
    )
