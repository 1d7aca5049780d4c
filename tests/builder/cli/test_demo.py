from __future__ import annotations

import json
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
