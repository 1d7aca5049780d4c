"""Whole trainings of tiny models: their files in plain diffusers, resuming, and refusals."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from accelerate import tracking
from accelerate.tracking import GeneralTracker
from accelerate.utils import LoggerType
from PIL import Image
from safetensors.torch import load_file
from transformers import CLIPTokenizer

import mycanvas
from mycanvas.dataset.composition import find_composition
from mycanvas.errors import ConfigError, InputError, ModelError, StoreError
from mycanvas.io.images import Rgb, decode_rgb, encode_jpeg
from mycanvas.training.artefact import artefact_files, read_record
from mycanvas.training.run import train
from mycanvas.training.settings import read_settings
from tests.mycanvas.training.conftest import TinyModel, Train

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # diffusers' schedulers

ROOT = Path(mycanvas.__file__).parents[1]


def load_as_the_card_says(folder: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Any, str]:
    """Run the card's lines of Python; the pipeline, and the prompt of the sample pictures."""
    (lines,) = re.findall(r"```python\n(.*?)```", (folder / "README.md").read_text(), flags=re.S)
    monkeypatch.chdir(folder)
    names: dict[str, Any] = {}
    with contextlib.redirect_stderr(io.StringIO()):  # progress bars of diffusers
        exec(lines, names)  # noqa: S102
    assert names["image"].size == (64, 64)
    return names["pipe"], re.findall(r'image = pipe\("(.*)"\)', lines)[0]


def picture(pipe: Any, prompt: str) -> Rgb:
    """The picture of the first sample, as mycanvas generates it."""
    pipe.set_progress_bar_config(disable=True)
    noise = torch.Generator().manual_seed(0)
    found = pipe(prompt, num_inference_steps=2, height=64, width=64, generator=noise, output_type="np").images[0]
    return np.rint(found * 255).astype(np.uint8)


@pytest.mark.parametrize(
    ("kind", "method", "prompting"),
    [("sd15_images", "cd", "plain"), ("sdxl_images", "cd-lora", "gen4gen"), ("sdxl_images", "db-lora", "plain")],
)
def test_plain_diffusers_loads_the_result_as_the_card_says_and_shows_the_samples(
    run: Train,
    compositions: dict[int, str],
    tiny_model: TinyModel,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    method: str,
    prompting: str,
) -> None:
    folder = run(tmp_path / "out", kind, compositions[2], method=method, prompting=prompting, learning_rate=0.05)

    pipe, prompt = load_as_the_card_says(folder, monkeypatch)
    base = type(pipe).from_pretrained(tiny_model(kind))

    shown, before = picture(pipe, prompt), picture(base, prompt)
    sample = decode_rgb((folder / "samples" / "000002-0.jpg").read_bytes()).astype(int)
    assert np.abs(decode_rgb(encode_jpeg(shown)) - sample).max() <= 2
    assert np.abs(shown.astype(int) - before).mean() > 3
    record = read_record(folder)
    assert record is not None
    assert sorted(artefact_files(folder, record)) == sorted(path for path in folder.rglob("*") if path.is_file())


def test_card_marks_a_local_model_as_one_to_replace(
    run: Train, compositions: dict[int, str], tiny_model: TinyModel, tmp_path: Path
) -> None:
    local = tmp_path / "jane@home"  # on the Hub, a revision would follow the "@"
    local.symlink_to(tiny_model("sd15_images"))

    folder = run(tmp_path / "out", "sd15_images", compositions[2], model=str(local), steps=1, source="photos")

    base = f'base = "{local}"  # a local folder, as --model named it: replace it by the place of your copy'
    assert base in (folder / "README.md").read_text().splitlines()


def test_alphas_are_stored_with_the_weights(run: Train, compositions: dict[int, str], tmp_path: Path) -> None:
    from safetensors import safe_open

    folder = run(tmp_path / "out", "sd15_images", compositions[2], method="cd-lora", rank=4, source="photos")

    with safe_open(folder / "pytorch_lora_weights.safetensors", "pt") as file:
        metadata = json.loads(file.metadata()["lora_adapter_metadata"])
    assert (metadata["unet.r"], metadata["unet.lora_alpha"]) == (4, 4)


def test_five_concepts_train_with_the_prompts_of_gen4gen(
    run: Train, compositions: dict[int, str], tmp_path: Path
) -> None:
    folder = run(tmp_path / "out", "sdxl_images", compositions[5], prompting="gen4gen", dtype="bfloat16")

    record = json.loads((folder / "training.json").read_text())
    assert record["finished"]
    assert len(record["concepts"]) == 5
    assert len(list((folder / "embeddings").glob("*.clip_g.safetensors"))) == 6


def test_killed_training_resumes_to_the_same_weights_bit_for_bit(
    run: Train, built: Path, compositions: dict[int, str], tiny_model: TinyModel, tmp_path: Path
) -> None:
    options = {"steps": 20, "batch_size": 1, "checkpoint_every": 2}
    whole = run(tmp_path / "whole", "sd15_images", compositions[2], **options)
    killed = tmp_path / "killed"
    given = {"data": built, "composition": compositions[2], "model": tiny_model("sd15_images"), "output": killed}
    given |= options | {"class_pictures": 0, "sample_steps": 2, "device": "cpu"}
    words = [part for name, value in given.items() for part in (f"--{name.replace('_', '-')}", str(value))]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "MYCANVAS_CACHE": "off"}
    with subprocess.Popen([sys.executable, "-m", "mycanvas", "train", *words], env=environment) as process:
        while not (killed / "checkpoint.safetensors").exists():
            assert process.poll() is None
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
    assert not json.loads((killed / "training.json").read_text())["finished"]

    run(killed, "sd15_images", compositions[2], **options)

    files = [path.relative_to(whole) for path in whole.rglob("*.safetensors")]
    pairs = [(load_file(whole / file), load_file(killed / file)) for file in files]
    assert len(files) == 3
    assert all(torch.equal(one[name], other[name]) for one, other in pairs for name in one)
    assert not (killed / "checkpoint.safetensors").exists()


def test_finished_training_is_kept_and_another_one_is_refused_before_a_model_is_loaded(
    run: Train, compositions: dict[int, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = run(tmp_path / "out", "sd15_images", compositions[2], method="db-lora", source="photos")
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    monkeypatch.setattr("mycanvas.models.trainable.KINDS", {})

    for name in (compositions[2], "+".join(reversed(compositions[2].split("+")))):
        run(folder, "sd15_images", name, method="db-lora", source="photos", accumulate=2)
    with pytest.raises(
        StoreError, match=r"holds another training\n  source +was \"photos\", now \"scenes\"\n  seed +was 0, now"
    ):
        run(folder, "sd15_images", compositions[2], method="db-lora", source="scenes", seed=7)

    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before

    (folder / "pytorch_lora_weights.safetensors").unlink()
    with pytest.raises(
        StoreError, match=r"has lost pytorch_lora_weights\.safetensors; restore it, or train again, into"
    ):
        run(folder, "sd15_images", compositions[2], method="db-lora", source="photos")


class Tracker(GeneralTracker):
    """A tracker of losses in place of TensorBoard's. losses: by the step, of each run that it was started for."""

    name, requires_logging_directory = "tensorboard", True
    losses: ClassVar[list[dict[int, float]]] = []

    def __init__(self, project: str, folder: str) -> None:  # noqa: ARG002 - as accelerate calls it
        super().__init__()
        self.losses.append({})

    tracker = property(lambda self: self)

    def store_init_configuration(self, values: dict[str, Any]) -> None:
        """Nothing."""

    def log(self, values: dict[str, Any], step: int | None, **_: Any) -> None:
        self.losses[-1][step or 0] = values["loss"]


def test_loss_is_logged_but_nothing_of_a_finished_training(
    run: Train, compositions: dict[int, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = ModuleType("tensorboard")
    module.__spec__ = ModuleSpec("tensorboard", None)
    monkeypatch.setitem(sys.modules, "tensorboard", module)
    monkeypatch.setitem(tracking.LOGGER_TYPE_TO_CLASS, "tensorboard", Tracker)
    monkeypatch.setattr(tracking, "_available_trackers", [LoggerType.TENSORBOARD])

    for _ in range(2):
        run(tmp_path / "out", "sd15_images", compositions[2], log="tensorboard", source="photos")

    (losses,) = Tracker.losses
    assert list(losses) == [0, 1]


def test_class_pictures_are_made_once_for_all_trainings(
    run: Train, compositions: dict[int, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MYCANVAS_CACHE", str(tmp_path / "cache"))
    options = {"steps": 1, "class_pictures": 1, "source": "collage", "background_weight": 0.5, "sample_every": 1}
    run(tmp_path / "first", "sd15_images", compositions[2], **options)
    made = {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").rglob("*.jpg")}

    run(tmp_path / "second", "sd15_images", compositions[2], **options, seed=1)

    assert len(made) == 2
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").rglob("*.jpg")} == made


def test_only_trained_rows_are_in_the_files_of_embeddings(
    run: Train, compositions: dict[int, str], tmp_path: Path
) -> None:
    folder = run(tmp_path / "out", "sdxl_images", compositions[2], source="photos", steps=1)

    sizes = {
        path.name: [(k, tuple(v.shape)) for k, v in load_file(path).items()]
        for path in (folder / "embeddings").iterdir()
    }
    assert sorted(sizes) == [
        f"{name}{suffix}.safetensors" for name in compositions[2].split("+") for suffix in (".clip_g", ".clip_l")
    ]
    assert {shape for ((_, shape),) in sizes.values()} == {(48,), (32,)}


@pytest.mark.parametrize(
    ("kind", "options", "error", "message"),
    [
        ("sd15_images", {"composition": "ball+cup"}, ConfigError, "there is no composition 'ball.cup' in"),
        ("flux_fill", {}, ConfigError, "is a FluxFillPipeline; expected StableDiffusionPipeline or"),
        ("sd15", {}, ConfigError, "is a StableDiffusionInpaintPipeline; expected"),
        ("sd15_images", {"resolution": 70}, ConfigError, "a multiple of 16, got 70"),
        ("sd15_images", {"log": "wandb"}, ConfigError, "this package is not installed; run: pip install wandb"),
        ("sd15_images", {"regularization": Path("none")}, InputError, "none has no class pictures"),
    ],
)
def test_bad_input_is_refused(
    run: Train,
    compositions: dict[int, str],
    tmp_path: Path,
    kind: str,
    options: dict[str, Any],
    error: type[Exception],
    message: str,
) -> None:
    composition = options.pop("composition", compositions[2])

    with pytest.raises(error, match=message):
        run(tmp_path / "out", kind, composition, **options)
    assert not (tmp_path / "out").exists()


def test_dataset_of_another_machine_is_refused(tmp_path: Path) -> None:
    settings = read_settings({"composition": "a+b", "model": "./m"})

    with pytest.raises(InputError, match="fetch it with: hf download jane/scenes --repo-type dataset"):
        train(Path("hf://datasets/jane/scenes"), tmp_path / "out", settings)


def test_tokenizer_with_more_tokens_than_embeddings_is_refused(
    run: Train, compositions: dict[int, str], tiny_model: TinyModel, tmp_path: Path
) -> None:
    model = shutil.copytree(tiny_model("sd15_images"), tmp_path / "model")
    tokenizer = CLIPTokenizer.from_pretrained(model / "tokenizer")
    tokenizer.add_tokens(["<other>"])
    tokenizer.save_pretrained(model / "tokenizer")

    with pytest.raises(ModelError, match="tokens, but its text encoder has embeddings for"):
        run(tmp_path / "out", "sd15_images", compositions[2], model=str(model), method="db-lora")


@pytest.mark.parametrize(("method", "unused"), [("cd", {"class_pictures", "rank"}), ("cd-lora", {"class_pictures"})])
def test_record_has_only_the_settings_that_count(
    run: Train, compositions: dict[int, str], built: Path, tmp_path: Path, method: str, unused: set[str]
) -> None:
    for noun in {each.class_name for each in find_composition(built, compositions[2]).concepts}:
        (tmp_path / "classes" / noun).mkdir(parents=True)
        Image.new("RGB", (64, 64)).save(tmp_path / "classes" / noun / "0.png")

    folder = run(
        tmp_path / "out",
        "sd15_images",
        compositions[2],
        method=method,
        regularization=tmp_path / "classes",
        steps=1,
    )

    record = read_record(folder)
    assert record is not None
    assert {"class_pictures", "rank"} - record.keys() == unused


def test_samples_whose_prompt_is_too_long_are_refused_before_the_first_step(
    run: Train, compositions: dict[int, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The prompts of scenes fit, as they do not state the background."""
    monkeypatch.setattr("mycanvas.training.run.SAMPLE_BACKGROUNDS", (f"in a {'very ' * 70}dark library",))

    with pytest.raises(InputError, match=r"at most 77 are read: 'photo of .* dark library'"):
        run(tmp_path / "out", "sd15_images", compositions[2], method="db-lora", source="scenes")

    assert not (tmp_path / "out" / "training.json").exists()


def test_folder_of_something_else_is_refused(run: Train, compositions: dict[int, str], tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")

    with pytest.raises(StoreError, match=r"holds something else \(notes.txt\)"):
        run(tmp_path, "sd15_images", compositions[2])


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"method": "dreambooth"}, "method: .*'cd', 'cd-lora' or 'db-lora', got 'dreambooth'"),
        ({"steps": 0}, "steps: expected a whole number of at least 1, got 0"),
        ({"learning_rate": -1.0}, "learning_rate: expected a number of at least 0, got -1.0"),
        ({"learning_rate": 1e300}, "learning_rate: expected a number of at most 1000, got 1e\\+300"),
        ({"learning_rate": float("nan")}, "learning_rate: expected a finite number, got nan"),
        ({"background_weight": 2.0}, "background_weight: expected a number of at most 1, got 2.0"),
        ({"dtype": "float16"}, "dtype: .*'float32' or 'bfloat16', got 'float16'"),
        ({"seed": -1}, "seed: expected a whole number of at least 0, got -1"),
        ({"seed": 2**63}, f"seed: expected a whole number below {2**63}, got {2**63}"),
        ({"step": 3}, "unknown key step; did you mean steps"),
    ],
)
def test_options_out_of_range_are_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        read_settings({"composition": "a", "model": "m"} | values)
