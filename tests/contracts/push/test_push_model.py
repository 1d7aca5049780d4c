"""The folder of a training is published as a model: its weights, card and samples, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mycanvas.io.checked import write_checked
from tests.hub.fake_hub import FakeHub
from tests.publishing import Run

FILES = ("README.md", "pytorch_lora_weights.safetensors", "embeddings/dog6.safetensors", "samples/000002-0.jpg")
RECORD = {"finished": True, "composition": "dog6", "method": "cd", "prompting": "plain", "model": "jane/sd15@main"}
FOREIGN = ("checkpoint.safetensors", "embeddings/cat2.safetensors", "notes.safetensors", "samples/mine.jpg")
"""Of a killed training, and of the user."""


@pytest.fixture
def trained(tmp_path: Path) -> Path:
    for name in (*FILES, "class_pictures/dog/0.jpg", "logs/events", *FOREIGN):
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).write_text("---\nlicense: other\n---\n" if name == "README.md" else name)
    write_checked(tmp_path / "training.json", RECORD | {"concepts": {"<dog6>": "dog"}})
    return tmp_path


def test_weights_card_and_samples_are_published_in_one_commit(hub: FakeHub, run: Run, trained: Path, name: str) -> None:
    dry, done = run("push", trained, name, "--dry-run"), run("push", trained, name, "--private")

    assert (dry.code, done.code) == (0, 0), done.err
    assert "would send 5 files" in dry.out
    assert "sent 5 files" in done.out
    assert "the card names" not in dry.out
    files = hub.head(name).files
    assert set(files) - {".gitattributes"} == {*FILES, "training.json"}
    assert hub.content(files[FILES[1]]).decode() == FILES[1]
    assert hub.repositories[name].private


def test_files_of_an_earlier_training_are_deleted(hub: FakeHub, run: Run, trained: Path, name: str) -> None:
    assert run("push", trained, name).code == 0
    (trained / FILES[2]).rename(trained / "embeddings" / "cat2.safetensors")
    write_checked(trained / "training.json", RECORD | {"concepts": {"<cat2>": "cat"}})

    assert run("push", trained, name).code == 0

    assert {file for file in hub.head(name).files if "/" in file} == {"embeddings/cat2.safetensors", FILES[3]}


def test_model_that_is_a_folder_is_named_before_it_is_published(
    hub: FakeHub, run: Run, trained: Path, name: str
) -> None:
    write_checked(trained / "training.json", RECORD | {"concepts": {"<dog6>": "dog"}, "model": "./sd15"})

    dry, told = run("push", trained, name, "--dry-run"), run("push", trained, name, "--dry-run", "--json")

    assert "the card names ./sd15, a folder that others do not have; edit README.md to name a model" in dry.out
    assert json.loads(told.out)["local_base"] == "./sd15"
    assert name not in hub.repositories


def test_what_cannot_be_pushed_is_refused(hub: FakeHub, run: Run, trained: Path, name: str) -> None:
    (trained / FILES[2]).rename(trained / "aside")
    lost = run("push", trained, name, "--dry-run")
    (trained / "aside").rename(trained / FILES[2])
    hub.write(name, {"model.bin": b"mine"})
    other, wrong = run("push", trained, name), run("push", trained, name, "--license", "MIT")
    write_checked(trained / "training.json", {"finished": False})
    unfinished = run("push", trained, name)
    (trained / "training.json").write_text("{")
    damaged = run("push", trained, name)

    assert (lost.code, other.code, wrong.code, unfinished.code, damaged.code) == (1, 1, 2, 1, 1)
    assert "has lost embeddings/dog6.safetensors; restore it, or train again, into a new folder" in lost.err
    assert "training.json is damaged; train again, into a new folder" in damaged.err
    assert f"{name} holds something else (model.bin); choose another name" in other.err
    assert "--license is an option for datasets; this folder holds a trained model" in wrong.err
    assert "is not finished; run the same `mycanvas train` again" in unfinished.err
