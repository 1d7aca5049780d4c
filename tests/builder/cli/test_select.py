from __future__ import annotations

import ast
import json
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from builder.cli.main import main
from builder.stages.select import SelectConfig
from mycanvas.dataset import open_dataset
from mycanvas.schema import SCORE_FIELDS


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    main(["select", *(str(argument) for argument in arguments)])
    return capsys.readouterr().out


@pytest.fixture(scope="module")
def built(build_shapes: Callable[[int, int], Path]) -> Path:
    return build_shapes(30, 192)


def test_every_threshold_of_the_configuration_is_an_option(capsys: pytest.CaptureFixture[str]) -> None:
    page = run(capsys, "--help")

    assert all(
        f"--{name.replace('_', '-')} NUMBER|none" in page
        for name in {*SelectConfig.model_fields} - {"fitted", "attempts"}
    )


def test_help_has_each_score_with_its_meaning_range_and_current_bound(
    capsys: pytest.CaptureFixture[str], build_shapes: Callable[[int, int], Path]
) -> None:
    folder = build_shapes(12, 128)
    main(["select", str(folder), "--max-border", "none", "--min-size", "0.001"])
    capsys.readouterr()

    default, now = (" ".join(run(capsys, *words).split()) for words in (["--help"], [folder, "--help"]))

    assert all(score.meaning.replace("- ", "-") in default.replace("- ", "-") for score in SCORE_FIELDS.values())
    assert "(-1 to 1, high is better). [default: none]" in default
    assert "except the lower one (0 to 1, low is better). [default: 0.2]" in default
    assert "except the lower one (0 to 1, low is better). [now: none]" in now
    assert "as a fraction of the image (0 to 1, high is better). [now: 0.001]" in now


def test_help_of_a_url_has_its_current_bounds(
    capsys: pytest.CaptureFixture[str], build_shapes: Callable[[int, int], Path]
) -> None:
    url = f"file://{build_shapes(12, 128)}"
    shown, default = (" ".join(run(capsys, place, "--help").split()) for place in (url, f"{url}/none"))

    assert "[now: 0.2]" in shown
    assert "[default:" not in shown.replace("[default: 0.9]", "")
    assert "DIR|URL" in default
    assert "[default: 0.2]" in default


def test_thresholds_narrow_and_widen_the_selection_without_generating_scenes(
    capsys: pytest.CaptureFixture[str], built: Path
) -> None:
    def kept(*arguments: object) -> int:
        return sum(json.loads(run(capsys, built, *arguments, "--json"))["funnel"]["kept"].values())

    candidates = {path: path.stat().st_mtime_ns for path in (built / ".build" / "candidates").iterdir()}
    before = {path.name: path.read_bytes() for path in (built / "data").iterdir()}
    everything = kept()
    few = kept("--per-composition", 1)
    still_few = kept()
    again = kept("--per-composition", 1000)

    assert 0 < few < everything
    assert still_few == few
    assert again == everything
    assert {path.name: path.read_bytes() for path in (built / "data").iterdir()} == before
    assert {path: path.stat().st_mtime_ns for path in candidates} == candidates


def test_selection_that_keeps_no_scene_leaves_the_dataset_unchanged(
    capsys: pytest.CaptureFixture[str], built: Path
) -> None:
    before = {path: path.read_bytes() for path in (built / "data").iterdir()}

    with pytest.raises(SystemExit) as ended:
        main(["select", str(built), "--min-sharpness", "1", "--max-seam", "none"])

    assert ended.value.code == 1
    message = "no scene would be kept by --min-sharpness 1 --max-seam none; the earlier selection stays"
    assert message in capsys.readouterr().err
    assert {path: path.read_bytes() for path in (built / "data").iterdir()} == before


def test_use_of_photos_is_printed_by_build_and_inspect_only(capsys: pytest.CaptureFixture[str], built: Path) -> None:
    selected, again = run(capsys, built, "--min-visible", 0.5), run(capsys, built)
    main(["inspect", str(built)])

    assert "photos used" in capsys.readouterr().out
    assert "photos used" not in selected + again
    assert selected.startswith("planned")


def test_none_removes_a_bound_and_reset_restores_the_profile(capsys: pytest.CaptureFixture[str], built: Path) -> None:
    def bounds(*arguments: object) -> dict[str, float | None]:
        run(capsys, built, *arguments)
        manifest = json.loads((built / ".build" / "selected.json").read_text())
        selected: dict[str, float | None] = manifest["made_from"]["select"]
        return selected

    assert bounds("--max-seam", 0.9, "--max-border", "none")["max_border"] is None
    assert bounds("--max-seam", "none", "--per-composition", 50)["max_seam"] is None
    assert bounds("--max-overlap", 0.4, "--reset") == {**SelectConfig().model_dump(), "max_overlap": 0.4}
    assert bounds("--reset") == SelectConfig().model_dump()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--min-visible", "80"], "select.min_visible: expected a number of at most 1, got 80"),
        (["--max-seam", "low"], "expected a number or \"none\", got 'low'"),
        (["--per-composition", "2.5"], "select.per_composition: expected a whole number, got 2.5"),
        (["--duplicate-bits", "none"], "select.duplicate_bits: expected a whole number, got None"),
    ],
)
def test_invalid_threshold_is_refused(
    capsys: pytest.CaptureFixture[str], built: Path, arguments: list[str], message: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["select", str(built), *arguments])

    assert ended.value.code == 2
    assert message in capsys.readouterr().err


def test_printed_commands_are_quoted_for_any_path(
    capsys: pytest.CaptureFixture[str], built: Path, tmp_path: Path
) -> None:
    folder = tmp_path / 'my "own" photos'
    shutil.copytree(built, folder)

    page = run(capsys, folder)

    hints = {line.split(":")[0]: line.split(": ", 1)[1].strip() for line in page.splitlines() if ":  " in line}
    assert shlex.split(hints["look at it"]) == ["mycanvas", "inspect", str(folder)]
    assert ast.literal_eval(hints["load it"].split("data_dir=")[1].rstrip(")")) == str(folder)


def test_edited_card_is_kept_under_another_name(capsys: pytest.CaptureFixture[str], built: Path) -> None:
    for words, bound in (("my own words", 0.1), ("and more", 0.2)):
        (built / "README.md").write_text(words)
        run(capsys, built, "--min-visible", bound)

    assert (built / "README.edited.md").read_text() == "my own words"
    assert (built / "README.edited-2.md").read_text() == "and more"
    assert (built / "README.md").read_text().startswith("---\n")


def test_card_that_is_not_text_is_kept_too(capsys: pytest.CaptureFixture[str], built: Path) -> None:
    (built / "README.md").write_bytes(b"\x89PNG\xff\xfe")

    run(capsys, built, "--min-visible", 0.3)

    assert (built / "README.edited-3.md").read_bytes() == b"\x89PNG\xff\xfe"
    assert (built / "README.md").read_text().startswith("---\n")


def test_lost_thresholds_of_a_damaged_selection_are_reported(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture, built: Path, tmp_path: Path
) -> None:
    copy = shutil.copytree(built, tmp_path / "copy")
    (copy / ".build" / "selected.json").write_text("{")

    run(capsys, copy)

    assert "selected.json is damaged; thresholds of an earlier `mycanvas select` are lost" in caplog.text
    assert "README.md may have been edited; it is now README.edited" in caplog.text


@pytest.mark.parametrize("name", ["00000.json", "00000.scores.arrow", "00000.arrow"])
def test_damaged_file_of_a_shard_is_named(
    capsys: pytest.CaptureFixture[str], built: Path, tmp_path: Path, name: str
) -> None:
    copy = shutil.copytree(built, tmp_path / "copy")
    (copy / ".build" / "candidates" / name).write_text("{")

    with pytest.raises(SystemExit):
        main(["select", str(copy), "--min-size", "0.0001"])

    assert f"{name} is damaged or missing" in capsys.readouterr().err


def test_stopped_build_is_named(capsys: pytest.CaptureFixture[str], built: Path, tmp_path: Path) -> None:
    stopped = shutil.copytree(built, tmp_path / "stopped")
    (stopped / ".build" / "config.json").unlink()

    with pytest.raises(SystemExit):
        main(["select", str(stopped)])

    assert "stopped is not finished; run the same `mycanvas build` again to finish it" in capsys.readouterr().err


def test_build_of_a_version_with_fewer_scores_is_selected_and_inspected(
    capsys: pytest.CaptureFixture[str], build_shapes: Callable[[int, int], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    earlier = tuple(name for name in SCORE_FIELDS if name not in {"floating", "proportion"})
    with monkeypatch.context() as patched:
        patched.setattr("mycanvas.schema.SCORES", earlier)
        patched.setattr("builder.pipeline.rows.SCORES", earlier)
        built = build_shapes(6, 128)

    printed = run(capsys, built, "--max-floating", "0.5", "--duplicate-bits", "-1")
    main(["inspect", str(built)])
    inspected = capsys.readouterr().out

    assert "kept" in printed
    assert "sharpness" in inspected
    assert "floating" not in inspected
    scenes = list(open_dataset(built).scenes())
    assert scenes
    assert all(scene.scores["floating"] is None and scene.scores["cutout"] is not None for scene in scenes)
