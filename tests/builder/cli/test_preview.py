"""`mycanvas build --preview N`: two sheets beside the output, nothing in it, and the command of the build."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from builder.cli.main import main
from builder.cli.preview import COLUMNS, SIDE, sheets_beside
from builder.inspect.contact_sheet import CAPTION, GAP
from builder.inspect.cutout_sheet import REFUSED, USED
from builder.pipeline.build_folder import BuildFolder
from builder.pipeline.result_cache import cache_files
from tests.contracts.small_builds import bytes_of

SMALL = ("--samples", "12", "--resolution", "128", "--workers", "1")
SCENES, CUTOUTS = "my data.preview.png", "my data.cutouts.png"


@pytest.fixture(autouse=True)
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory, beside a folder for temporary files and one for the cache."""
    for name in ("desk", "temporary"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / "desk")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    monkeypatch.setenv("MYCANVAS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "desk"


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_scenes_of_the_build_and_all_cutouts_are_drawn_beside_an_output_that_does_not_exist(
    shapes: Path, grounds: Path, desk: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["build", "--concepts", str(shapes), "--backgrounds", str(grounds), "--output", "my data", *SMALL]
    main([*words, "--preview", "6"])
    printed = capsys.readouterr().out
    main([words[0], "--preview=6", *words[1:], "--json"])
    result = json.loads(capsys.readouterr().out)

    assert names(desk) == {SCENES, CUTOUTS}
    assert names(desk.parent / "temporary") == set()
    assert f"scenes:    {SCENES}\ncut-outs:  {CUTOUTS}\n" in printed
    assert f"build:     {shlex.join(['mycanvas', *words])}\n" in printed
    assert "ball   2 of 2 photos used\n" in printed
    assert "6 of the 12 scenes that the build makes:" in printed
    assert "another configuration" not in printed
    with Image.open(SCENES) as sheet:
        assert sheet.size == (3 * (SIDE + GAP) - GAP, 2 * (SIDE + CAPTION + GAP) - GAP)
        assert COLUMNS == 3
    assert (result["scenes_sheet"], result["cutouts_sheet"], result["cached"]) == (SCENES, CUTOUTS, True)
    assert result["command"] == ["mycanvas", *words, "--json"]
    assert (len(result["scenes"]), result["rejected"]) == (6, {})
    assert len({scene["composition"] for scene in result["scenes"]}) == 4  # all that there are
    assert {scene["split"] for scene in result["scenes"]} == {"objects_le3", "objects_4", "objects_5"}

    main(words)
    made = {row["id"]: row["caption"] for row in BuildFolder(Path("my data")).candidates(0)}
    assert {scene["id"]: scene["caption"] for scene in result["scenes"]}.items() <= made.items()


def test_the_build_takes_its_cutouts_and_painted_backgrounds_from_the_cache(
    shapes: Path, desk: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["build", "--concepts", str(shapes), *SMALL, "--samples", "3"]
    main([*words, "--preview", "3"])
    cache = desk.parent / "cache" / "results"
    found = {file.path: (file.size, file.path.stat().st_ino) for file in cache_files(cache)}
    main(words)

    assert len(found) > 12
    assert {file.path: (file.size, file.path.stat().st_ino) for file in cache_files(cache)} == found
    assert "the cache is off" not in capsys.readouterr().out
    monkeypatch.setenv("MYCANVAS_CACHE", "off")
    main([*words, "--preview", "1"])
    assert "; the cache is off, so the photos will be cut out again" in capsys.readouterr().out


def test_a_build_file_is_followed_and_its_finished_build_is_not_touched(
    shapes: Path, grounds: Path, desk: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (desk / "sub").mkdir()
    settings = [f'concepts = "{shapes}"', f'backgrounds = "{grounds}"', 'output = "in/out"', "samples = 4"]
    settings += ["resolution = 128", "workers = 1", 'compositions = [["ball", "box"]]', "[select]", "max_border = 1"]
    (desk / "sub" / "build.toml").write_text("\n".join(settings))
    main(["build", "sub/build.toml", "--preview", "6"])
    assert "4 of the 4 scenes" in capsys.readouterr().out
    assert names(desk / "sub" / "in") == {"out.preview.png", "out.cutouts.png"}
    main(["build", "sub/build.toml"])
    before = bytes_of(desk / "sub" / "in" / "out")
    capsys.readouterr()

    main(["build", "sub/build.toml", "--preview", "1", "--seed", "5", "-q"])

    assert bytes_of(desk / "sub" / "in" / "out") == before
    note = "sub/in/out holds a build of another configuration: give another --output\n"
    assert capsys.readouterr().out.endswith(f"build:     mycanvas build sub/build.toml --seed 5 -q\n{note}")


def test_cutouts_are_drawn_although_none_can_be_used(
    shapes: Path, desk: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (desk / "photos").mkdir()
    (desk / "photos" / "ball").symlink_to(shapes / "ball")
    (desk / "photos" / "concepts.toml").write_text('[ball]\nleave_out = ["0.png", "1.png"]\n')

    with pytest.raises(SystemExit) as ended:
        main(["build", "--concepts", "photos", *SMALL, "--preview", "6"])

    printed = capsys.readouterr()
    assert ended.value.code == 1
    assert "no photo gave a cut-out" in printed.err
    assert "0 of 2 photos used" in printed.out
    assert "cut-outs:  mycanvas_data.cutouts.png\n" in printed.out
    assert names(desk) == {"photos", "mycanvas_data.cutouts.png"}
    with Image.open("mycanvas_data.cutouts.png") as sheet:
        colours = {colour for _, colour in sheet.getcolors(1 << 24)}
    assert REFUSED in colours
    assert USED not in colours


@pytest.mark.parametrize(
    ("prepare", "message"),
    [
        (lambda desk: (desk / "out.preview.png").write_text("mine"), "out.preview.png exists and is no contact sheet"),
        (lambda desk: (desk / "out.cutouts.png").mkdir(), "out.cutouts.png exists and is no contact sheet"),
        (lambda desk: ((desk / "out").mkdir(), (desk / "out" / "a.txt").touch()), "out holds something else (a.txt)"),
    ],
)
def test_foreign_files_are_refused_before_any_work(
    shapes: Path,
    desk: Path,
    capsys: pytest.CaptureFixture[str],
    prepare: Callable[[Path], object],
    message: str,
) -> None:
    prepare(desk)
    before = bytes_of(desk)

    with pytest.raises(SystemExit) as ended:
        main(["build", "--concepts", str(shapes), "--output", "out", *SMALL, "--preview", "6"])

    assert ended.value.code == 1
    assert message in capsys.readouterr().err
    assert bytes_of(desk) == before
    assert not (desk.parent / "cache").exists()


@pytest.mark.parametrize("count", ["0", "37", "few"])
def test_a_number_out_of_range_is_wrong_usage(count: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["build", "--concepts", "photos", "--preview", count])

    assert ended.value.code == 2
    assert "--preview" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("output", "scenes"), [("data", "data.preview.png"), ("a/b.c", "a/b.c.preview.png"), (".", "../desk.preview.png")]
)
def test_sheets_are_beside_the_output(output: str, scenes: str, desk: Path) -> None:
    assert sheets_beside(Path(output))[0].resolve() == (desk / scenes).resolve()
