"""`mycanvas reproduce` with tiny models: all steps, killed on the way; and what is refused."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from builder.cli.main import main
from builder.reproduce.arms import ARMS
from builder.reproduce.config import read_config, training
from builder.reproduce.estimate import pace_key
from builder.stages.score.classical import seam_and_exposure
from mycanvas.dataset import open_dataset
from mycanvas.generation.run import generate
from mycanvas.io.checked import write_checked
from mycanvas.io.images import decode_rgb
from tests.contracts.small_builds import KILLED
from tests.mycanvas.generation.conftest import Painter

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # diffusers' schedulers

MOMENTS = (
    ("os.rename", "trained/cd_photos/*/pytorch_lora_weights.safetensors"),
    ("os.rename", "generated/ours_MyCanvas/*.png"),
)
"""Where a run is killed, in turn: before the first file that matches gets its name."""
SMALL = """
model = "{sd}"
device = "cpu"
arms = ["cd + photos", "ours + MyCanvas"]
compositions = ["{composition}"]
pictures = 2
[train]
steps = 2
batch_size = 1
class_pictures = 1
resolution = 64
sample_steps = 1
[generate]
steps = 1
resolution = 64
[evaluate]
encoder = "{clip}"
detector = "{owlvit}"
"""


@pytest.fixture(scope="module")
def built(build_shapes: Callable[[int, int], Path]) -> Path:
    return build_shapes(6, 128)


@pytest.fixture
def config(built: Path, tiny_model: Callable[[str], Path], tmp_path: Path) -> Path:
    """The file of a reproduction, beside its dataset."""
    (tmp_path / "data").symlink_to(built)
    models = {name: tiny_model(kind) for name, kind in (("sd", "sd15_checked"), ("clip", "clip"), ("owlvit", "owlvit"))}
    composition = next(iter(open_dataset(built).contents().compositions))
    file = tmp_path / "reproduce.toml"
    file.write_text('dataset = "data"\n' + SMALL.format(**models, composition=composition))
    return file


def test_reproduction_that_was_killed_twice_ends_complete(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "reproduction"
    program = json.dumps([MOMENTS, str(output), "reproduce", str(config)])

    killed = subprocess.run([sys.executable, "-c", KILLED, program], capture_output=True, text=True, check=False)

    assert killed.returncode == 0, killed.stderr
    assert json.loads(killed.stdout.splitlines()[-1]) == [-signal.SIGKILL] * len(MOMENTS)
    before = {file: file.read_bytes() for file in output.glob("*/*/*/pytorch_lora_weights.safetensors")}
    assert len(before) >= 1
    result = run(config, capsys)
    assert list(result["arms"]) == ["cd + photos", "ours + MyCanvas"]
    assert all(len(arm["pictures"]) == 2 for arm in result["arms"].values())
    assert all(decode_rgb(file.read_bytes()).any() for file in output.glob("generated/*/*.png"))
    assert result["pasted_look"]["source photos"]["seam"]["count"] > 0
    assert {file: file.read_bytes() for file in before} == before
    assert (output / "report.html").is_file()
    made = {
        file: file.stat().st_mtime_ns for file in output.glob("*/*/**/*") if file.suffix in {".png", ".safetensors"}
    }
    assert run(config, capsys) == result
    assert {file: file.stat().st_mtime_ns for file in made} == made
    assert run(config, capsys, "--estimate") == {"trainings": 0, "class_pictures": 0, "pictures": 0, "hours": 0.0}
    assert not list(output.rglob("*.unfinished"))


def test_only_compositions_that_all_arms_have_are_compared(
    config: Path, built: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = list(open_dataset(built).contents().compositions)[:2]
    output = config.parent / "reproduction"
    model, pace = read_config(config).model, {"step": {"cd": 1.0}, "class_picture": 1.0, "picture": 1.0}
    known = {pace_key(read_config(config), "cpu"): pace}
    write_checked(output / "reproduction.json", {"model": model, "pictures": 2, "pace": known})
    folder = output / "generated" / "cd_photos"
    generate(model, folder, dataset=open_dataset(built), compositions=[second], pictures=2, load=Painter().load)

    result = run(config, capsys)

    assert result["compositions_left_out"] == [second]
    for arm in result["arms"].values():
        assert [picture["composition"] for picture in arm["pictures"]] == [first] * 2
    note = f"Left out, as not all arms have all their pictures: {second}."
    assert note in (output / "report.html").read_text()


def run(config: Path, capsys: pytest.CaptureFixture[str], *options: str) -> Any:
    capsys.readouterr()
    main(["reproduce", str(config), *options, "--json"])
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("steps = 2", "steps = 0", "train.steps: expected a whole number of at least 1, got 0"),
        ("steps = 2", "step = 2", "unknown key train.step; did you mean steps?"),
        ('"cd + photos", ', '"cd + photo", ', "unknown arm 'cd + photo'; did you mean cd + photos?"),
        ('dataset = "data"', "", 'give build = "build.toml", or the folder of a built dataset'),
        ("pictures = 2", 'pictures = "two"', "pictures: expected a whole number"),
        ("pictures = 2", "pictures = 20000", "pictures: expected a whole number of at most 10000, got 20000"),
        ('device = "cpu"', "device = ", "is not TOML"),
        ("threshold", "threshold", ""),
    ],
)
def test_wrong_file_is_refused_by_name(
    before: str, after: str, message: str, config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = config.read_text()
    if not message:
        text, message = text + "thresold = 3\n", "unknown key evaluate.thresold; did you mean threshold?"
    config.write_text(text.replace(before, after, 1))

    with pytest.raises(SystemExit) as ended:
        main(["reproduce", str(config)])

    assert ended.value.code == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "reproduction").exists()


def test_unknown_composition_is_refused_before_anything_is_written(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["reproduce", str(config), "--composition", "ball+bix"])

    assert "there is no composition 'ball+bix'" in capsys.readouterr().err
    assert not (tmp_path / "reproduction").exists()


def test_prompt_that_is_too_long_is_refused_before_anything_is_written(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mycanvas.metrics.protocol.BACKGROUNDS", (f"in a {'very ' * 70}dark library",))

    with pytest.raises(SystemExit):
        main(["reproduce", str(config)])

    assert "at most 77 are read" in capsys.readouterr().err
    assert not (tmp_path / "reproduction").exists()


def test_missing_model_of_the_evaluation_is_reported_before_the_training(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config.write_text(re.sub("detector = .*", 'detector = "./none"', config.read_text()))

    with pytest.raises(SystemExit) as ended:
        main(["reproduce", str(config), "-q"])

    assert (ended.value.code, "no model in" in capsys.readouterr().err) == (1, True)
    assert not (tmp_path / "reproduction" / "trained").exists()


def test_folder_of_something_else_is_refused(config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "reproduction").mkdir()
    (tmp_path / "reproduction" / "letters.txt").write_text("mine")

    with pytest.raises(SystemExit):
        main(["reproduce", str(config)])

    assert "holds something else (letters.txt)" in capsys.readouterr().err
    assert [file.name for file in (tmp_path / "reproduction").iterdir()] == ["letters.txt"]


def test_arms_are_those_of_the_poster_with_their_controls(config: Path) -> None:
    settings = {name: training(read_config(config), arm, "a+b") for name, arm in ARMS.items()}

    found = {name: (each.method, each.source, each.prompting) for name, each in settings.items()}
    assert found == {
        "cd + photos": ("cd", "photos", "plain"),
        "db-lora + photos": ("db-lora", "photos", "plain"),
        "cd + collage": ("cd", "collage", "plain"),
        "cd + MyCanvas": ("cd", "both", "plain"),
        "ours + MyCanvas": ("cd", "both", "gen4gen"),
    }
    assert all(each.steps == 2 and each.composition == "a+b" for each in settings.values())


def test_line_around_an_object_raises_its_seam_and_a_brighter_object_its_exposure() -> None:
    shown = np.zeros((128, 128), np.bool_)
    shown[40:90, 30:100] = True
    grey = np.full((128, 128, 3), 120, np.uint8)
    lined, bright = grey.copy(), grey.copy()
    lined[40:42, 30:100] = lined[88:90, 30:100] = lined[40:90, 30:32] = lined[40:90, 98:100] = 255
    bright[shown] = 220

    assert seam_and_exposure(grey, shown) == (0.0, 0.0)
    assert seam_and_exposure(lined, shown)[0] > 0.9
    assert seam_and_exposure(bright, shown)[0] == 0.0
    assert seam_and_exposure(bright, shown)[1] > 0.3


def test_dataset_is_built_first_where_the_file_names_a_build(
    shapes: Path, config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(shapes, tmp_path / "photos")
    settings = 'concepts = "photos"\nsamples = 2\nresolution = 128\nworkers = 1\ncompositions = [["ball", "box"]]\n'
    (tmp_path / "build.toml").write_text(settings)
    config.write_text('build = "build.toml"\n' + config.read_text().partition("\n")[2].split("compositions")[0])
    with pytest.raises(SystemExit):
        main(["reproduce", str(config), "--composition", "cone+ring", "--estimate"])

    assert "there is no composition 'cone+ring'" in capsys.readouterr().err
    assert open_dataset(tmp_path / "mycanvas_data").contents().compositions.keys() == {"ball+box"}
