import json
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from builder.cli import main
from mycanvas import SPLITS

COMMANDS = ("demo", "build", "select", "inspect")


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    main([str(argument) for argument in arguments])
    return capsys.readouterr().out


@pytest.fixture(scope="module")
def built(shapes: Path, grounds: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("cli") / "out"
    arguments = ["build", "--concepts", shapes, "--backgrounds", grounds, "--output", output, "--workers", 1]
    main([str(argument) for argument in [*arguments, "--samples", 30, "--resolution", 192]])
    return output


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
        main(["select", str(built), "--min-cutout", "9"])

    assert ended.value.code == 1
    assert "no scene would be kept; loosen [select]" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in (built / "data").iterdir()} == before


def test_a_card_that_was_edited_is_kept(capsys: pytest.CaptureFixture[str], built: Path) -> None:
    for words, bound in (("my own words", 0.1), ("and more", 0.2)):
        (built / "README.md").write_text(words)
        run(capsys, "select", built, "--min-visible", bound)

    assert (built / "README.edited.md").read_text() == "my own words"
    assert (built / "README.edited-2.md").read_text() == "and more"
    assert (built / "README.md").read_text().startswith("---\n")
