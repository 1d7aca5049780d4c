"""`train.sh`: the words that reach a trainer, from any folder, with any caption."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from builder.pipeline.scene_layers import SceneLayers
from mycanvas.errors import InputError
from mycanvas.export import export
from tests.mycanvas.export.conftest import Foreign
from tests.mycanvas.export.trainers import TRAINERS

PROGRAMS = ("accelerate", "python", "simpletuner")
RECORDER = """#!{python}
import json, os, sys
with open({log!r}, "a") as file:
    name, model = os.path.basename(sys.argv[0]), os.environ.get("MODEL")
    print(json.dumps({{"words": [name, *sys.argv[1:]], "folder": os.getcwd(), "model": model}}), file=file)
"""
HOSTILE = """a <dog6> dog's "$MODEL" `touch pwned` $(touch pwned) --sample; touch pwned & $KOHYA \\ %s"""


def run(out: Path, tmp_path: Path, arguments: list[str]) -> list[dict[str, object]]:
    """Run a script with programs that record their words."""
    programs, log = tmp_path / "programs", tmp_path / "calls.jsonl"
    programs.mkdir()
    for name in PROGRAMS:
        (programs / name).write_text(RECORDER.format(python=sys.executable, log=str(log)))
        (programs / name).chmod(0o755)
    script = os.path.relpath(out / "train.sh", tmp_path)
    environment = {"PATH": f"{programs}:{os.environ['PATH']}"}
    subprocess.run(["/bin/sh", script, *arguments], check=True, cwd=tmp_path, env=environment)
    return [json.loads(line) for line in log.read_text().splitlines()]


@pytest.mark.parametrize("name", [*TRAINERS, "diffusers"])
def test_a_script_gives_paths_of_its_caller_and_text_as_it_is(
    foreign: Foreign, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    out = Path("an odd 'folder")
    done = export(foreign([{"prompt": HOSTILE}]), name, out)
    arguments = done.usage[0].partition("train.sh ")[2].split()
    (tmp_path / "my model").mkdir()
    (tmp_path / "trainer").mkdir()

    calls = run(out, tmp_path, ["my model", *("trainer" for _ in arguments[1:])])

    assert arguments[0] == "MODEL"
    assert calls
    model = str(tmp_path / "my model")
    assert any(call["model"] == model or any(model in word for word in call["words"]) for call in calls)  # type: ignore[attr-defined]
    assert all(call["folder"] == str(tmp_path / out) for call in calls)
    assert not list(tmp_path.rglob("pwned"))
    if name in {"simpletuner", "diffusers"}:  # the others read prompts from files
        words = [word for call in calls for word in call["words"]]  # type: ignore[attr-defined]
        assert any(word.removeprefix("--validation_prompt=") == HOSTILE for word in words)


@pytest.mark.parametrize("name", ["musubi", "musubi-edit", "ideogram4", "layers"])
def test_models_come_first_and_the_trainer_last(dataset: Path, out: Path, tmp_path: Path, name: str) -> None:
    done = export(dataset, name, out, layers=SceneLayers)
    arguments = ["a-model", "a-vae", "an-encoder", "the-trainer"]

    calls = run(out, tmp_path, arguments)

    assert done.usage[0].endswith("train.sh MODEL VAE TEXT_ENCODER MUSUBI")
    words: list[str] = calls[-1]["words"]  # type: ignore[assignment]
    assert words[words.index("--dit") + 1] == "a-model"
    cached: list[str] = calls[0]["words"]  # type: ignore[assignment]
    assert cached[cached.index("--vae") + 1] == "a-vae"
    encoded: list[str] = calls[1]["words"]  # type: ignore[assignment]
    assert encoded[encoded.index("--text_encoder") + 1] == "an-encoder"
    assert any(word.startswith("the-trainer/src/musubi_tuner/") for word in words)


def test_a_name_on_the_hub_stays(foreign: Foreign, out: Path, tmp_path: Path) -> None:
    export(foreign([{}]), "simpletuner", out)

    (call,) = run(out, tmp_path, ["owner/model"])

    assert "--pretrained_model_name_or_path=owner/model" in call["words"]  # type: ignore[operator]


def test_a_script_without_its_arguments_prints_them(foreign: Foreign, out: Path) -> None:
    export(foreign([{}]), "kohya", out)

    done = subprocess.run(["/bin/sh", out / "train.sh", "model"], check=False, capture_output=True, text=True)

    assert done.returncode
    assert "usage: sh train.sh MODEL SD_SCRIPTS" in done.stderr


@pytest.mark.parametrize("card", [None, "# Scenes", "---\nconfigs: [\n---\n"])
def test_diffusers_needs_the_card_that_lists_its_split(foreign: Foreign, out: Path, card: str | None) -> None:
    folder = foreign([{}])
    if card is None:
        (folder / "README.md").unlink()
    else:
        (folder / "README.md").write_text(card)

    with pytest.raises(InputError, match=r'foreign/README\.md lists no config "all"'):
        export(folder, "diffusers", out)
    assert not out.exists()


def test_diffusers_writes_the_command_alone_with_the_memory_of_the_scenes(dataset: Path, out: Path) -> None:
    done = export(dataset, "diffusers", out)

    assert [path.name for path in out.iterdir() if not path.name.startswith(".")] == ["train.sh"]
    scenes = sum(done.counts.values())
    memory = scenes * 192 * 192 * 3 * (1 + 4) / 1e6  # bytes as decoded, and floats
    assert f"The trainer keeps all {scenes} scenes in memory: about {memory:.2f} MB." in done.usage
    script = (out / "train.sh").read_text()
    for option in ("--center_crop", "--caption_column prompt", "--resolution 192", f"--dataset_name {dataset}"):
        assert option in script
