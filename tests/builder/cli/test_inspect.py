from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from builder.cli.main import main
from mycanvas import SPLITS


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    main(["inspect", *(str(argument) for argument in arguments)])
    return capsys.readouterr().out


@pytest.fixture(scope="module")
def built(build_shapes: Callable[[int, int], Path]) -> Path:
    return build_shapes(12, 128)


def test_counts_of_the_funnel_agree(capsys: pytest.CaptureFixture[str], built: Path) -> None:
    seen = json.loads(run(capsys, built, "--json", "--sheet", built.parent / "sheet.png"))
    funnel = seen["funnel"]

    assert sum(funnel["planned"].values()) == 12
    assert sum(funnel["kept"].values()) == sum(seen["compositions"].values())
    assert sum(funnel["planned"].values()) - sum(funnel["rejected"].values()) == sum(funnel["made"].values())
    assert sum(funnel["made"].values()) - sum(funnel["dropped"].values()) == sum(funnel["kept"].values())
    with Image.open(built.parent / "sheet.png") as sheet:
        assert sheet.width == 6 * 320 + 5 * 12


def test_page_shows_funnel_scores_and_photos(capsys: pytest.CaptureFixture[str], built: Path) -> None:
    page = run(capsys, built)

    assert "planned" in page
    assert "\nscores of all 12 generated scenes, kept or not:\nscore " in page
    assert "sharpness" in page
    assert "ball2  2 of 2 photos used" in page
    assert "\n12 of 12 photos used\n" in page
    assert [line.split()[0] for line in page.splitlines() if line.startswith("  objects_")] == list(SPLITS)
    assert (built / "contact_sheet.png").is_file()
