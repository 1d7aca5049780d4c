import ast
import json
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from builder.cli.main import cli, main
from builder.stages.select import SelectConfig
from mycanvas import SPLITS

COMMANDS = tuple(cli.commands)


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    main([str(argument) for argument in arguments])
    return capsys.readouterr().out


@pytest.fixture(scope="module")
def built(build_shapes: Callable[[int, int], Path]) -> Path:
    return build_shapes(30, 192)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself_with_an_example(capsys: pytest.CaptureFixture[str], command: str) -> None:
    assert f"mycanvas {command}" in run(capsys, command, "--help").split("Example:")[1]


def test_help_and_import_load_neither_datasets_nor_arrow_nor_opencv() -> None:
    """Both stay under half a second; what they load is what that depends on."""
    code = "import sys, mycanvas, builder.cli; print(*sorted({'datasets', 'pyarrow', 'cv2', 'PIL'} & set(sys.modules)))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert loaded.stdout.strip() == ""


def test_inspect_counts_what_the_files_hold(capsys: pytest.CaptureFixture[str], built: Path) -> None:
    seen = json.loads(run(capsys, "inspect", built, "--json", "--sheet", built.parent / "sheet.png"))
    funnel = seen["funnel"]

    assert sum(funnel["planned"].values()) == 30
    assert sum(funnel["kept"].values()) == sum(seen["compositions"].values())
    assert sum(funnel["planned"].values()) - sum(funnel["rejected"].values()) == sum(funnel["made"].values())
    assert sum(funnel["made"].values()) - sum(funnel["dropped"].values()) == sum(funnel["kept"].values())
    with Image.open(built.parent / "sheet.png") as sheet:
        assert sheet.width == 6 * 320


def test_inspect_prints_a_page_for_people(capsys: pytest.CaptureFixture[str], built: Path) -> None:
    page = run(capsys, "inspect", built)

    assert "planned" in page
    assert "sharpness" in page
    assert "ball2  2 of 2 photos used" in page
    assert "\n12 of 12 photos used\n" in page
    assert [line.split()[0] for line in page.splitlines() if line.startswith("  objects_")] == list(SPLITS)
    assert (built / "contact_sheet.png").is_file()


def test_select_narrows_and_widens_again_without_making_a_scene(
    capsys: pytest.CaptureFixture[str], built: Path
) -> None:
    def kept(*arguments: object) -> int:
        return sum(json.loads(run(capsys, "select", built, *arguments, "--json"))["funnel"]["kept"].values())

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


def test_a_selection_that_keeps_nothing_leaves_the_dataset_as_it_was(
    capsys: pytest.CaptureFixture[str], built: Path
) -> None:
    before = {path: path.read_bytes() for path in (built / "data").iterdir()}

    with pytest.raises(SystemExit) as ended:
        main(["select", str(built), "--min-sharpness", "1", "--max-seam", "none"])

    assert ended.value.code == 1
    said = "no scene would be kept by --min-sharpness 1 --max-seam none; the earlier selection stays"
    assert said in capsys.readouterr().err
    assert {path: path.read_bytes() for path in (built / "data").iterdir()} == before


def test_a_bound_is_taken_away_and_all_are_as_in_the_profile_again(
    capsys: pytest.CaptureFixture[str], built: Path
) -> None:
    def bounds(*arguments: object) -> dict[str, float | None]:
        run(capsys, "select", built, *arguments)
        selected: dict[str, float | None] = json.loads((built / ".build" / "selected.json").read_text())["select"]
        return selected

    assert bounds("--max-seam", 0.9, "--max-border", "none")["max_border"] is None
    assert bounds("--max-seam", "none", "--per-composition", 50)["max_seam"] is None
    assert bounds("--max-overlap", 0.4, "--reset") == {**SelectConfig().model_dump(), "max_overlap": 0.4}
    assert bounds("--reset") == SelectConfig().model_dump()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--min-visible", "80"], "select.min_visible: expected a number of at most 1, got 80"),
        (["--max-seam", "low"], "expected a number or none, got 'low'"),
        (["--per-composition", "2.5"], "select.per_composition: expected a whole number, got 2.5"),
        (["--duplicate-bits", "none"], "select.duplicate_bits: expected a whole number, got None"),
    ],
)
def test_a_bound_that_cannot_be_meant(
    capsys: pytest.CaptureFixture[str], built: Path, arguments: list[str], said: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["select", str(built), *arguments])

    assert ended.value.code == 2
    assert said in capsys.readouterr().err


def test_no_command_is_described_in_half_a_sentence(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    lines = [line for line in run(capsys, "--help").splitlines() if line.split()[:1] and line.split()[0] in COMMANDS]

    assert len(lines) == len(COMMANDS)
    assert all(line.endswith(".") and not line.endswith("...") for line in lines)


def test_what_to_type_next_holds_for_any_path(capsys: pytest.CaptureFixture[str], built: Path, tmp_path: Path) -> None:
    folder = tmp_path / 'my "own" photos'
    shutil.copytree(built, folder)

    page = run(capsys, "select", folder)

    hints = {line.split(":")[0]: line.split(": ", 1)[1].strip() for line in page.splitlines() if ":  " in line}
    assert shlex.split(hints["look at it"]) == ["mycanvas", "inspect", str(folder)]
    assert ast.literal_eval(hints["load it"].split("data_dir=")[1].rstrip(")")) == str(folder)


def test_a_card_that_was_edited_is_kept(capsys: pytest.CaptureFixture[str], built: Path) -> None:
    for words, bound in (("my own words", 0.1), ("and more", 0.2)):
        (built / "README.md").write_text(words)
        run(capsys, "select", built, "--min-visible", bound)

    assert (built / "README.edited.md").read_text() == "my own words"
    assert (built / "README.edited-2.md").read_text() == "and more"
    assert (built / "README.md").read_text().startswith("---\n")


def test_a_card_that_is_no_text_is_kept_too(capsys: pytest.CaptureFixture[str], built: Path) -> None:
    (built / "README.md").write_bytes(b"\x89PNG\xff\xfe")

    run(capsys, "select", built, "--min-visible", 0.3)

    assert (built / "README.edited-3.md").read_bytes() == b"\x89PNG\xff\xfe"
    assert (built / "README.md").read_text().startswith("---\n")
