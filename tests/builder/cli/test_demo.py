from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from builder.cli.main import main


def test_toys_are_rendered_built_and_loaded_by_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, shapes: Path
) -> None:
    """Shapes stand in for the toys, whose rendering takes minutes and has tests of its own."""
    rendered: list[Path] = []

    def render(folder: Path, progress: Callable[[int], object], workers: int) -> None:
        assert workers == 1
        folder.mkdir()
        (folder / "concepts").symlink_to(shapes)
        rendered.append(folder)
        progress(1)

    monkeypatch.setattr("builder.demo.render.render_toys", render)
    output, toys = tmp_path / "out", tmp_path / "toys"
    paths = ["--output", str(output), "--toys", str(toys)]
    main(["demo", *paths, "--samples", "2", "--resolution", "128", "--workers", "1"])
    printed = capsys.readouterr().out

    assert rendered == [toys]
    assert "DatasetDict" in printed
    assert "[0]: 128 x 128, " in printed
    assert printed.endswith(f"contact sheet: {output / 'contact_sheet.png'}\n")
    assert (output / "contact_sheet.png").is_file()
    assert json.loads((output / ".build" / "config.json").read_text())["license"] == "CC0-1.0"


@pytest.fixture
def refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """The error of a demo that must end before it renders."""

    def render(*_: object) -> None:
        raise AssertionError("rendered")

    def run(*arguments: object) -> str:
        with pytest.raises(SystemExit):
            main(["demo", *map(str, arguments), "--workers", "1"])
        return capsys.readouterr().err

    monkeypatch.setattr("builder.demo.render.render_toys", render)
    return run


def contents(folder: Path) -> dict[Path, bytes | None]:
    return {path: path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


def test_folder_of_photos_is_refused_and_left_as_it_is(
    refused: Callable[..., str], shapes: Path, tmp_path: Path
) -> None:
    shutil.copytree(shapes, tmp_path / "mine" / "concepts")
    before = contents(tmp_path)

    message = refused("--toys", tmp_path / "mine", "--output", tmp_path / "out")

    assert "mine holds something else (concepts); give --toys a new or empty folder" in message
    assert contents(tmp_path) == before


def test_photos_among_the_toys_are_refused(refused: Callable[..., str], shapes: Path, tmp_path: Path) -> None:
    (tmp_path / "toys" / "concepts").mkdir(parents=True)
    (tmp_path / "toys" / ".toys").touch()
    (tmp_path / "toys" / "concepts" / ".git").mkdir()
    for name in (".DS_Store", ".git/config", "concepts.toml"):
        (tmp_path / "toys" / "concepts" / name).touch()
    shutil.copytree(shapes / "ball", tmp_path / "toys" / "concepts" / "mine")

    message = refused("--toys", tmp_path / "toys", "--output", tmp_path / "out")

    assert "files that the demo did not render, such as concepts/mine/0.png; move them elsewhere, or give" in message


def test_output_is_checked_before_rendering(refused: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "notes.txt").touch()

    message = refused("--output", tmp_path / "out", "--toys", tmp_path / "toys")

    assert "out holds something else (notes.txt); give --output a new or empty folder" in message
    assert not (tmp_path / "toys").exists()


def test_output_of_another_build_is_refused_before_rendering(
    refused: Callable[..., str], build_shapes: Callable[[int, int], Path], tmp_path: Path
) -> None:
    message = refused("--output", build_shapes(4, 128), "--toys", tmp_path / "toys", "--samples", 4)

    assert (
        "was built with another configuration\n  concepts    were ball, ball2, box, cone, ring, slab, now ball,"
        in message
    )
    assert "\n  resolution  was 128, now 1024\nUse another --output" in message


@pytest.mark.parametrize("option", ["--output", "--toys"])
def test_a_link_that_leads_back_to_itself_is_refused_before_rendering(
    refused: Callable[..., str], tmp_path: Path, option: str
) -> None:
    (tmp_path / "circle").symlink_to("circle")
    paths = {"--output": tmp_path / "out", "--toys": tmp_path / "toys", option: tmp_path / "circle"}

    message = refused(*(word for pair in paths.items() for word in pair))

    assert f"circle is a symbolic link that leads nowhere; correct it, or give {option} a folder" in message


@pytest.mark.parametrize(("output", "toys"), [("a", "a"), ("a/b", "a"), ("a", "a/b")])
def test_output_and_toys_within_each_other_are_refused(
    refused: Callable[..., str], tmp_path: Path, output: str, toys: str
) -> None:
    assert "expected --output and --toys outside of each other" in refused(
        "--output", tmp_path / output, "--toys", tmp_path / toys
    )
    assert list(tmp_path.iterdir()) == []
