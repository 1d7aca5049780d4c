"""`mycanvas generate` with a tiny pipeline, a LoRA and new tokens, and the evaluation of its pictures."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from builder.cli.generate import BATCH_SIZE, STRATEGIES
from builder.cli.main import main
from mycanvas.dataset import open_dataset
from mycanvas.generation import run
from mycanvas.models.adapters import EMBEDDINGS, WEIGHTS
from mycanvas.prompts import PROMPTINGS, composition_token
from tests.mycanvas.models.lora_files import embedding_file, lora_file

TinyModel = Callable[[str], Path]


@pytest.fixture(scope="module")
def built(build_shapes: Callable[[int, int], Path]) -> Path:
    return build_shapes(6, 128)


def test_generated_pictures_are_evaluated(
    built: Path, tiny_model: TinyModel, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model, trained, output = tiny_model("sdxl_images"), tmp_path / "trained", tmp_path / "generated"
    scene = next(open_dataset(built).scenes())
    lora_file(trained / WEIGHTS, model)
    for token in (composition_token(scene.composition), *scene.concept_tokens):
        embedding_file(trained / EMBEDDINGS / f"{token}.safetensors", {"clip_l": 32, "clip_g": 48})
    arguments = ["generate", "--model", model, "--dataset", built, "--lora", f"{trained}:0.8", "--output", output]
    arguments += ["--composition", scene.composition, "--prompting", "gen4gen", "--seeds", 3, "--batch-size", 2]
    arguments += ["--steps", 2, "--guidance", 5, "--resolution", 32, "--device", "cpu"]
    capsys.readouterr()

    main([*map(str, arguments), "--json"])
    assert json.loads(capsys.readouterr().out) == {"folder": str(output), "pictures": 3, "new": 3, "black": 0}
    main([*map(str, arguments)])
    assert capsys.readouterr().out == (
        f"3 pictures in {output}, 0 new; score them: mycanvas evaluate {output} --dataset {built}\n"
    )
    models = ["--encoder", tiny_model("clip"), "--detector", tiny_model("owlvit"), "--device", "cpu"]
    main([*map(str, ["evaluate", output, "--dataset", built, *models, "--cache", tmp_path / "vectors"]), "--json"])
    (arm,) = json.loads(capsys.readouterr().out)["arms"].values()
    assert [picture["id"].partition("-")[2] for picture in arm["pictures"]] == ["0.png", "1.png", "2.png"]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--model", "./nowhere", "--dataset", "DATASET"], 1, "error: no model in nowhere: it is not a folder"),
        (["--model", "./nowhere"], 2, "expected either --dataset DIR, whose compositions get prompts, or --prompts"),
        (["--model", "./nowhere", "--dataset", "DATASET", "--steps", "0"], 2, "--steps"),
        (["--dataset", "DATASET"], 2, "Missing option '--model'"),
        (["--model", "./nowhere", "--dataset", "DATASET", "--lora", "a.pt"], 1, "a.pt does not exist"),
    ],
)
def test_wrong_usage_is_refused(
    arguments: list[str], code: int, message: str, built: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [str(built) if word == "DATASET" else word for word in arguments]
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        main(["generate", *words, "--output", str(tmp_path / "out"), "--device", "cpu"])

    printed = capsys.readouterr()
    assert ended.value.code == code
    assert message in printed.err
    assert printed.out == ""
    assert not (tmp_path / "out").exists()


def test_values_of_the_options_are_those_of_the_code() -> None:
    """They are repeated because help is printed without importing it."""
    assert BATCH_SIZE == run.BATCH_SIZE
    assert tuple(PROMPTINGS) == STRATEGIES
