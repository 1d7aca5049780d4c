"""`mycanvas train` from the command line: a training, its messages, and wrong usage."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import get_args

import pytest

from builder.cli.main import main
from builder.cli.train import train
from mycanvas.prompts import PROMPTINGS
from mycanvas.training.methods import METHODS
from mycanvas.training.settings import Settings, read_settings

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # diffusers' schedulers


COMMON = ("quiet", "verbose")
"""Options of every command."""


@pytest.fixture(scope="module")
def built(build_shapes: Callable[[int, int], Path]) -> Path:
    return build_shapes(12, 128)


def test_training_ends_with_the_place_of_its_weights(
    built: Path, tiny_model: Callable[[str], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "out"
    arguments = ["--data", built, "--model", tiny_model("sd15_images"), "--output", output, "--device", "cpu"]
    arguments += ["--method", "db-lora", "--steps", 1, "--batch-size", 1, "--class-pictures", 0, "--sample-steps", 1]

    for _ in range(2):
        main(["train", *map(str, arguments), "--composition", composition_of(built)])

    first, second = capsys.readouterr().out.splitlines()[-2:]
    assert first == f"weights in {output}; {output}/README.md says how to load them"
    assert second == f"weights in {output}, as before; {output}/README.md says how to load them"


@pytest.mark.parametrize(("rank", "lines"), [("0", 1), ("1", 0)])
def test_only_the_first_of_several_processes_prints_the_last_line(
    rank: str, lines: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RANK", rank)
    monkeypatch.setattr("mycanvas.training.run.train", lambda *_: True)

    main(["train", "--data", "d", "--output", str(tmp_path), "--composition", "a+b", "--model", "m"])

    assert len(capsys.readouterr().out.splitlines()) == lines


@pytest.mark.parametrize(
    ("option", "value"),
    [("--steps", "0"), ("--learning-rate", "-1"), ("--background-weight", "2"), ("--class-pictures", "-1")],
)
def test_number_out_of_range_is_wrong_usage(option: str, value: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["train", "--data", "d", "--output", "o", "--composition", "a+b", "--model", "m", option, value])

    assert ended.value.code == 2
    assert f"Invalid value for '{option}'" in capsys.readouterr().err


def test_unknown_composition_is_wrong_usage(built: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--data", built, "--model", "none/none", "--output", tmp_path / "out", "--composition", "cup"]

    with pytest.raises(SystemExit) as ended:
        main(["train", *map(str, arguments)])

    assert ended.value.code == 2
    assert f"error: there is no composition 'cup' in {built}; " in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_options_are_the_fields_of_the_settings_with_their_defaults() -> None:
    required = ["--data", "d", "--output", "o", "--composition", "a+b", "--model", "m"]

    with train.make_context("train", required) as context:
        given = {name: value for name, value in context.params.items() if name not in ("data", "output", *COMMON)}

    assert read_settings(given) == Settings(composition="a+b", model="m")
    assert set(given) == set(Settings.model_fields)


def test_choices_are_the_known_names() -> None:
    choices = {str(option.name): list(getattr(option.type, "choices", ())) for option in train.params}
    fields = Settings.model_fields

    assert choices["method"] == list(METHODS)
    assert choices["prompting"] == list(PROMPTINGS)
    assert all(
        set(names) == set(get_args(fields[name].annotation))
        for name, names in choices.items()
        if names and name != "log"
    )


def composition_of(folder: Path) -> str:
    from mycanvas.dataset import open_dataset

    return min(open_dataset(folder).contents().compositions, key=len)
