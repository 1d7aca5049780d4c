"""How long trainings and pictures take: measured in a few steps of each method, on the device that will run them."""

from __future__ import annotations

import shutil
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from builder.reproduce.arms import Arm
from builder.reproduce.config import Reproduction, training
from mycanvas.dataset import Dataset
from mycanvas.generation.run import generate
from mycanvas.io.checked import digest
from mycanvas.io.files import results_cache, write_text
from mycanvas.metrics.protocol import Prompt, as_lines
from mycanvas.models import pick_device, pick_dtype
from mycanvas.models.required import fetch_options
from mycanvas.models.trainable import load_model
from mycanvas.training.generated import STEPS as CLASS_STEPS
from mycanvas.training.run import default_steps, train
from mycanvas.training.settings import Settings

TRIALS = ".trials-"
"""Start of the name of the folder for trials, which are removed."""
STEPS = 4
"""Steps of a trial. Each reads and encodes its pictures, as only the first steps of a training do."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Pace:
    """Seconds of a step, by method, of a class picture, and of a picture of an arm."""

    step: Mapping[str, float] = field(default_factory=dict)
    class_picture: float = 0.0
    picture: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Work:
    """The remaining work.

    trainings: the arm and the composition of each. steps_made: of them, by method. pictures: of the arms.
    """

    trainings: Sequence[tuple[Arm, str]]
    steps_made: Mapping[str, int] = field(default_factory=dict)
    class_pictures: int
    pictures: int

    def is_covered(self, pace: Pace) -> bool:
        """Whether a pace has all that is needed to estimate it."""
        methods = {arm.method for arm, _ in self.trainings}
        counts = ((self.class_pictures, pace.class_picture), (self.pictures, pace.picture))
        return methods <= set(pace.step) and all(seconds for count, seconds in counts if count)

    def hours(self, config: Reproduction, pace: Pace) -> float:
        """How long it takes at a pace."""
        steps = Counter[str]({method: -made for method, made in self.steps_made.items()})
        for arm, composition in self.trainings:
            given = training(config, arm, composition).steps
            steps[arm.method] += given or default_steps(composition.count("+") + 1)
        seconds = sum(count * pace.step[method] for method, count in steps.items())
        seconds += self.class_pictures * pace.class_picture + self.pictures * pace.picture
        return seconds / 3600


def count_class_pictures(
    config: Reproduction, dataset: Dataset, new: Sequence[tuple[Arm, str]], begun: Collection[str]
) -> int:
    """Class pictures that trainings will make: of each class once, or for each training where the cache is off.

    Args:
        config: the file.
        dataset: that is trained on.
        new: trainings that have not begun.
        begun: the compositions of those that have: theirs are made.
    """
    settings = training(config, *new[0]) if new else None
    if settings is None or settings.regularization:
        return 0
    concepts = dataset.concepts(with_photos=False)
    classes = [{concepts[concept].class_name for concept in name.split("+")} for _, name in new]
    made = {concepts[concept].class_name for name in begun for concept in name.split("+")}
    is_shared = results_cache("class_pictures") is not None
    count = len(set().union(*classes) - made) if is_shared else sum(map(len, classes))
    return count * settings.class_pictures


def pace_key(config: Reproduction, device: str) -> str:
    """A digest of all that a pace depends on beside the model."""
    given = config.model_dump(mode="json", include={"dtype", "train", "generate"})
    return digest({"device": device, **given})[:16]


def measure_pace(config: Reproduction, place: Path, work: Work) -> Pace:
    """Try the first training of each method, and pictures. Nothing of it is kept, but class pictures in the cache."""
    first: dict[str, tuple[Arm, str]] = {
        arm.method: (arm, composition) for arm, composition in reversed(work.trainings)
    }
    for left in config.output.glob(f"{TRIALS}*"):  # by a killed run
        shutil.rmtree(left)
    with TemporaryDirectory(dir=config.output, prefix=TRIALS) as folder:
        trials = {
            method: partial(_train, config, place, Path(folder) / method, *task) for method, task in first.items()
        }
        step = {method: _seconds_of(trial, 1, 1 + STEPS) / STEPS for method, trial in trials.items()}
        settings = training(config, *work.trainings[0]) if work.class_pictures else None
        class_picture = _seconds_of_class_picture(settings, Path(folder)) if settings else 0.0
        generated = partial(_generate, config, Path(folder) / "pictures")
        picture = _seconds_of(generated, 1, 2) if work.pictures else 0.0
        return Pace(step=step, class_picture=class_picture, picture=picture)


def _seconds_of(trial: Callable[[str, int], None], small: int, large: int) -> float:
    """The time of a trial beyond that of a smaller one. A first one starts the device, and fills caches."""
    took = []
    for name, size in (("first", small), ("small", small), ("large", large)):
        begin = time.monotonic()
        trial(name, size)
        took.append(time.monotonic() - begin)
    return max(took[2] - took[1], 0.0)


def _seconds_of_class_picture(settings: Settings, folder: Path) -> float:
    """The time of the second of two pictures: the first one starts the device."""
    model = load_model(fetch_options({"model": settings.model}, "diffusers")["model"].path, settings.model)
    device = pick_device(settings.device)
    model.place(device, pick_dtype(settings.dtype, device), checkpointing=False)
    for name in ("first.jpg", "second.jpg"):
        begin = time.monotonic()
        model.generate({folder / name: ("photo", 0)}, settings.resolution or model.resolution, CLASS_STEPS)
    return time.monotonic() - begin


def _train(config: Reproduction, place: Path, folder: Path, arm: Arm, composition: str, name: str, steps: int) -> None:
    settings = training(config, arm, composition)
    trial = {"steps": steps, "class_pictures": min(1, settings.class_pictures)}
    once = {"sample_steps": 1, "sample_every": 0, "log": None}
    train(place, folder / name, settings.model_copy(update={**trial, **once}))


def _generate(config: Reproduction, folder: Path, name: str, pictures: int) -> None:
    prompts = folder / f"{name}.jsonl"  # of their own: those of a dataset may only fit with tokens that training adds
    write_text(prompts, as_lines([Prompt(file="0.png", composition="dog", prompt="photo of a dog")]))
    generate(
        config.model,
        folder / name,
        prompts=prompts,
        pictures=pictures,
        sampling=config.generate.sampling(),
        batch_size=1,
        device=config.device,
        dtype=config.dtype,
        offload=config.generate.offload,
        safety_checker=False,
    )
