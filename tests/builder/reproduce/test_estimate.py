"""The estimate of a reproduction: what is left to make, and how long it takes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from builder.reproduce.arms import ARMS
from builder.reproduce.config import GenerateTable, Reproduction, TrainTable
from builder.reproduce.estimate import Pace, Work, count_class_pictures, measure_pace, pace_key
from builder.reproduce.run import Estimate
from mycanvas.dataset import Dataset, open_dataset

PHOTOS, OURS = ARMS["cd + photos"], ARMS["ours + MyCanvas"]


@pytest.fixture(scope="module")
def dataset(build_shapes: Callable[[int, int], Path]) -> Dataset:
    return open_dataset(build_shapes(6, 128))


def config(**train: object) -> Reproduction:
    return Reproduction(model="a/b", dataset=Path("data"), train=TrainTable(steps=100, **train))


def classes(dataset: Dataset, composition: str) -> int:
    concepts = dataset.concepts(with_photos=False)
    return len({concepts[name].class_name for name in composition.split("+")})


def test_class_pictures_are_made_of_each_class_once_or_by_each_training_without_the_cache(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    name = next(iter(dataset.contents().compositions))
    both, count = [(PHOTOS, name), (OURS, name)], 70 * classes(dataset, name)

    assert count_class_pictures(config(), dataset, both, ()) == 2 * count
    monkeypatch.setenv("MYCANVAS_CACHE", str(tmp_path))
    assert count_class_pictures(config(), dataset, both, ()) == count
    assert count_class_pictures(config(), dataset, both[1:], [name]) == 0
    assert count_class_pictures(config(), dataset, [], [name]) == 0
    assert count_class_pictures(config(class_pictures=0), dataset, both, ()) == 0
    assert count_class_pictures(config(regularization=tmp_path), dataset, both, ()) == 0


def test_hours_are_those_of_steps_that_are_left_class_pictures_and_pictures() -> None:
    work = Work(trainings=[(PHOTOS, "a+b"), (OURS, "a+b")], steps_made={"cd": 40}, class_pictures=140, pictures=12)
    pace = Pace(step={"cd": 3.0}, class_picture=10.0, picture=5.0)

    assert work.hours(config(), pace) == ((2 * 100 - 40) * 3 + 140 * 10 + 12 * 5) / 3600
    assert work.is_covered(pace)
    assert not work.is_covered(Pace(step={"cd": 3.0}, picture=5.0))
    assert not work.is_covered(Pace(class_picture=10.0, picture=5.0))


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # diffusers' schedulers
def test_pictures_are_timed_without_the_prompts_of_the_dataset(
    tiny_model: Callable[[str], Path], tmp_path: Path
) -> None:
    """Before training adds their tokens, these may be too long."""
    table = GenerateTable(steps=1, resolution=64)
    given = {"model": str(tiny_model("sd15_images")), "output": tmp_path, "device": "cpu", "generate": table}

    pace = measure_pace(
        config().model_copy(update=given), tmp_path / "data", Work(trainings=[], class_pictures=0, pictures=1)
    )

    assert pace == Pace(picture=pace.picture)


def test_trials_of_a_killed_run_are_removed(tmp_path: Path) -> None:
    (tmp_path / ".trials-x" / "cd").mkdir(parents=True)
    given = config().model_copy(update={"output": tmp_path})

    measure_pace(given, Path("data"), Work(trainings=[], class_pictures=0, pictures=0))

    assert list(tmp_path.iterdir()) == []


def test_pace_is_measured_again_for_other_settings_or_another_device() -> None:
    keys = {pace_key(config(**train), device) for train in ({}, {"resolution": 64}) for device in ("cpu", "cuda")}

    assert len(keys) == 4
    assert pace_key(config(), "cpu") in keys


def test_estimate_says_what_is_left_in_minutes_below_an_hour() -> None:
    work = Work(trainings=[(PHOTOS, "a+b")], class_pictures=140, pictures=6)
    rest = Work(trainings=[], class_pictures=0, pictures=1)
    seconds = Estimate(work=rest, hours=0.001, device="cpu")

    assert Estimate(work=work, hours=2.25, device="cuda").lines() == [
        "left: 1 training, 140 class pictures and 6 pictures, about 2.2 hours on this device (cuda)"
    ]
    assert Estimate(work=rest, hours=0.1, device="cpu").lines()[0].startswith("left: 1 picture, about 6 minutes on")
    assert seconds.lines() == ["left: 1 picture, about 1 minute on this device (cpu)"]
    nothing = Work(trainings=[], class_pictures=0, pictures=0)
    assert Estimate(work=nothing, hours=0, device="cpu").lines() == ["nothing is left to train or generate"]
