"""`mycanvas evaluate`, from photos and images on disk to tables, numbers and a page, with tiny random models."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pytest
from PIL import Image

import mycanvas  # noqa: F401  (registers the name)
from builder.cli.evaluate import SETTINGS
from builder.cli.main import main
from mycanvas import __version__
from mycanvas.metrics.settings import Settings
from mycanvas.models.detectors import load_detector
from mycanvas.models.encoders import load_encoder
from mycanvas.schema import SPLITS

Model = Callable[[str], Path]
Run = Callable[..., str]


@pytest.fixture(scope="module")
def built(build_shapes: Callable[[int, int], Path]) -> Path:
    return build_shapes(18, 192)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], tiny_model: Model, tmp_path: Path) -> Run:
    """Run the command with tiny models on the CPU."""

    def evaluated(*arguments: object, encoder: str = "clip") -> str:
        models = ["--encoder", tiny_model(encoder), "--detector", tiny_model("owlvit"), "--device", "cpu"]
        cache = ["--cache", tmp_path / "vectors"]
        capsys.readouterr()
        main([str(argument) for argument in ["evaluate", *arguments, *models, *cache, "--threshold", 0.3]])
        return capsys.readouterr().out

    return evaluated


def make(
    folder: Path, built: Path, capsys: pytest.CaptureFixture[str], fill: Callable[[int], np.ndarray[Any, Any]]
) -> Path:
    """Images of two prompts per composition, as if a model had generated them."""
    folder.mkdir()
    manifest = folder / "images.jsonl"
    main(["prompts", str(built), "--output", str(manifest), "--per-composition", "2"])
    capsys.readouterr()
    for number, line in enumerate(manifest.read_text().splitlines()):
        Image.fromarray(fill(number).astype(np.uint8)).save(folder / json.loads(line)["file"])
    return folder


def noise(number: int) -> np.ndarray[Any, Any]:
    return np.random.default_rng(number).integers(0, 256, (96, 128, 3))


def grey(_: int) -> np.ndarray[Any, Any]:
    return np.full((96, 128, 3), 90)


def test_dataset_without_arms_is_scored_itself(run: Run, built: Path, tiny_model: Model) -> None:
    found = json.loads(run("--dataset", built, "--json"))
    (arm,) = found["arms"].values()
    scenes = datasets.load_dataset("mycanvas", "all", data_dir=str(built), split="train")

    assert list(found["arms"]) == ["out"]
    assert [picture["id"] for picture in arm["pictures"]] == list(scenes["id"])
    assert set(arm["splits"]) == set(SPLITS)
    assert all(picture["agreement"] is not None for picture in arm["pictures"])
    assert any(picture["boxes"] for picture in arm["pictures"])
    encoder, detector = load_encoder(tiny_model("clip")), load_detector(tiny_model("owlvit"), threshold=0.3)
    for scene, picture in list(zip(scenes, arm["pictures"], strict=True))[:3]:
        pixels = np.asarray(scene["image"])
        text = encoder.texts([scene["background"]])[0]
        (boxes,) = detector.detect([pixels], [scene["class_names"]])
        assert picture["ti_clip"] == pytest.approx(float(encoder.images([pixels])[0] @ text), abs=1e-5)
        assert boxes is not None
        assert (picture["cp_clip"] != 0) == bool(boxes)


def test_table_has_the_poster_s_rows_and_gains_over_the_first_arm(
    run: Run, built: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base, ours = make(tmp_path / "base", built, capsys, grey), make(tmp_path / "mine", built, capsys, noise)
    arms = [f"baseline={base}", ours, "--dataset", built]
    table = run(*arms, "--output", tmp_path / "scores")
    found = json.loads((tmp_path / "scores" / "scores.json").read_text())

    assert "paper: Ours + MyCanvas     0.51    0.17      0.55    0.16      0.57    0.14" in table
    assert list(found["arms"]) == ["baseline", "mine"]
    assert found["paper"]["arms"]["Ours + MyCanvas"]["objects_4"] == {"cp_clip": 0.55, "ti_clip": 0.16}
    for split in SPLITS:
        means = {
            name: np.mean([one["cp_clip"] for one in arm["pictures"] if one["split"] == split])
            for name, arm in found["arms"].items()
        }
        gain = found["differences"]["mine vs. baseline"][split]["cp_clip"]["mean"]
        assert gain == pytest.approx(means["mine"] - means["baseline"])
        assert re.search(rf"^mine vs. baseline .*\{gain:+.2f}", table, re.MULTILINE)
    page = (tmp_path / "scores" / "report.html").read_text()
    assert "<h3>mine vs. baseline</h3>" in page
    assert "<svg" in page
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert "https://" not in page


def test_unreadable_image_is_left_out_by_name_and_counted(
    run: Run, built: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = make(tmp_path / "made", built, capsys, noise)
    (made / "000-1.png").write_bytes((made / "000-1.png").read_bytes()[:500])
    table = run(made, "--dataset", built, "--output", tmp_path / "scores")

    assert re.search(r"pictures .*\(1 left out\)", table)
    assert "left out: 000-1.png (damaged:" in table
    assert "000-1.png: damaged" in (tmp_path / "scores" / "report.html").read_text()


def test_encoder_without_text_gives_no_ti_clip(run: Run, built: Path) -> None:
    table = run("--dataset", built, encoder="dinov2")

    assert re.search(r"TI-CLIP +- +- +-", table)
    assert re.search(r"CP-CLIP ↑ +-?\d", table)


def test_embeddings_of_photos_are_cached_for_the_next_run(run: Run, built: Path, tmp_path: Path) -> None:
    first = run("--dataset", built, "--json")
    files = {file: file.stat().st_mtime_ns for file in (tmp_path / "vectors").rglob("*.npy")}

    assert len(files) == 12
    assert run("--dataset", built, "--json") == first
    assert {file: file.stat().st_mtime_ns for file in (tmp_path / "vectors").rglob("*.npy")} == files


def test_names_and_prompts_are_escaped_in_the_page(
    run: Run, built: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = make(tmp_path / "made", built, capsys, noise)
    lines = [json.loads(line) for line in (made / "images.jsonl").read_text().splitlines()]
    (made / "images.jsonl").write_text(
        "\n".join(json.dumps(line | {"prompt": "<script>alert(1)</script>" + " and so on" * 1000}) for line in lines)
    )
    run(f"<b>x={made}", "--dataset", built, "--output", tmp_path / "scores")
    page = (tmp_path / "scores" / "report.html").read_text()

    assert "<script" not in page
    assert "<b>x" not in page
    assert "&lt;script&gt;" in page
    assert " and so on" * 20 in page
    assert " and so on" * 40 not in page


def test_only_earlier_reports_are_replaced(
    run: Run, built: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scores = tmp_path / "scores"
    run("--dataset", built, "--output", scores)
    (scores / "scores.json").write_text("{}")
    with pytest.raises(SystemExit):  # before the missing model is looked for
        main(["evaluate", "--dataset", str(built), "--output", str(scores), "--encoder", "./nowhere"])
    message = capsys.readouterr().err

    assert message == (f"error: {scores}/scores.json exists and is not a report of mycanvas; choose another --output\n")
    assert (scores / "scores.json").read_text() == "{}"
    (scores / "scores.json").unlink()
    assert "report: " in run("--dataset", built, "--output", scores)
    assert json.loads((scores / "scores.json").read_text())["mycanvas"] == __version__


def test_unwritable_output_is_refused_before_anything_is_measured(
    built: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SystemExit):
        main(["evaluate", "--dataset", str(built), "--output", str(tmp_path / "file"), "--encoder", "./nowhere"])

    assert capsys.readouterr().err.endswith("a part of this path is not a folder; choose another\n")


@pytest.mark.parametrize(
    ("arguments", "message", "code"),
    [
        ([], "missing --dataset DIR: its concepts' photos are the reference", 2),
        (["made"], "missing --dataset DIR", 2),
        (["--dataset", "BUILT", "--prompts", "nowhere"], "--prompts without DIR", 2),
        (["--dataset", "nowhere"], "nowhere does not exist", 1),
        (["nowhere", "--dataset", "BUILT"], "nowhere does not exist", 1),
        (["a=BUILT", "a=BUILT", "--dataset", "BUILT"], "a name of its own", 2),
        (["a=", "--dataset", "BUILT"], "a name of its own, got 'a='", 2),
        (["\udcff=BUILT", "--dataset", "BUILT"], r"a name of its own, got '\udcff=", 2),
        (["runs/lr=1/made", "--dataset", "BUILT"], "runs/lr=1/made does not exist", 1),
        (["BUILT", "--dataset", "BUILT", "--prompts", "nowhere"], "cannot read nowhere", 1),
        (["--dataset", "BUILT", "--detector", "./nowhere"], "Name a folder that holds a model: --detector DIR", 1),
        (["--dataset", "BUILT", "--device", "toaster"], "toaster", 2),
    ],
)
def test_wrong_usage_ends_with_one_message(
    built: Path, capsys: pytest.CaptureFixture[str], tiny_model: Model, arguments: list[str], message: str, code: int
) -> None:
    given = [argument.replace("BUILT", str(built)) for argument in arguments]
    models = ["--encoder", str(tiny_model("clip")), "--detector", str(tiny_model("owlvit"))]
    capsys.readouterr()  # output of building the models
    with pytest.raises(SystemExit) as stopped:
        main(["evaluate", *models, *given])
    printed = capsys.readouterr()

    assert stopped.value.code == code
    assert printed.err.startswith("error: ")
    assert message in printed.err
    assert printed.out == ""


@pytest.mark.parametrize("option", ["--write-prompts", "--per-composition", "--alignment", "--ratings", "--limit"])
def test_options_of_the_other_commands_are_unknown(capsys: pytest.CaptureFixture[str], option: str) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["evaluate", option, "1"])

    assert stopped.value.code == 2
    assert f"No such option '{option}'" in capsys.readouterr().err


def test_defaults_in_help_are_those_of_the_settings() -> None:
    """They are repeated there because help is printed without importing the settings."""
    defaults = {name: text.partition("[default: ")[2].rstrip("]") for name, _, text in SETTINGS}

    assert defaults == {name: str(getattr(Settings(), name)).removesuffix(".0") for name in defaults}


def test_photos_to_scores_end_to_end(photos: Path, grounds: Path, run: Run, tmp_path: Path) -> None:
    """Cut out, compose, load, detect, encode: real photos where there are any."""
    for name in sorted(path.name for path in photos.iterdir() if path.is_dir())[:2]:
        (tmp_path / "photos" / name).mkdir(parents=True)
        shutil.copy(min((photos / name).iterdir()), tmp_path / "photos" / name)
    settings = tmp_path / "build.toml"
    settings.write_text(
        f'concepts = "photos"\nbackgrounds = "{grounds}"\noutput = "out"\nsamples = 3\nresolution = 192\nworkers = 1\n'
        "[segment]\nkeep_best = true\n[select]\nduplicate_bits = -1\nmin_visible = 0.0\nmax_overlap = 1.0\n"
    )
    main(["build", str(settings)])
    found = json.loads(run("--dataset", tmp_path / "out", "--references", "masked", "--json"))

    pictures = found["arms"]["out"]["pictures"]
    assert len(pictures) == 3
    assert all(-1 <= picture["cp_clip"] <= 1 for picture in pictures)
    assert all(picture["identity"] <= picture["cp_clip"] + 1e-9 for picture in pictures if picture["cp_clip"] > 0)
    assert len({picture["ti_clip"] for picture in pictures}) == len(pictures)
