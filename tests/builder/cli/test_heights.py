"""Typical heights in a build: used like given ones, and listed as guesses."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path

import datasets
import numpy as np
import pytest

from builder.cli.main import main
from builder.sources.heights import guess_height
from tests.conftest import draw_shape

TITLE = "heights guessed from the class nouns; to set one, write height_cm in concepts.toml:"


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Ready cut-outs of three concepts; one class noun has no typical height."""
    for kind, name in enumerate(("blicket", "dog6", "pink_mug")):
        (tmp_path / "photos" / name).mkdir(parents=True)
        draw_shape(tmp_path / "photos" / name / "0.png", kind, view=0)
    return tmp_path / "photos"


def build(photos: Path, grounds: Path, output: Path) -> None:
    arguments = ["--concepts", photos, "--backgrounds", grounds, "--output", output]
    main(["build", *map(str, [*arguments, "--samples", 6, "--resolution", 128, "--workers", 1])])


def guessed(page: str) -> list[list[str]]:
    """The rows of the list of guessed heights, split into words."""
    _, _, rows = page.partition(f"\n{TITLE}\n")
    return [row.split() for row in rows.partition("\n\n")[0].splitlines()]


def test_guessed_heights_are_listed_and_used_by_the_scenes(
    photos: Path, grounds: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    build(photos, grounds, tmp_path / "out")
    summary = capsys.readouterr().out
    main(["inspect", str(tmp_path / "out")])
    page = capsys.readouterr().out
    main(["inspect", str(tmp_path / "out"), "--json"])
    listed = json.loads(capsys.readouterr().out)["sources"]["photos"]

    mug, dog = guess_height("mug"), guess_height("dog")
    assert guessed(summary) == guessed(page)
    assert guessed(page) == [["dog6", f"{dog:g}", "cm", "dog"], ["pink_mug", f"{mug:g}", "cm", "pink", "mug"]]
    expected = {"blicket": (None, False), "dog6": (dog, True), "pink_mug": (mug, True)}
    assert {each["concept"]: (each["height_cm"], each["height_guessed"]) for each in listed} == expected
    assert 'for the class noun of blicket ("blicket");' in caplog.text
    rows = datasets.load_dataset("mycanvas", "concepts", data_dir=str(tmp_path / "out"), split="train")
    assert {row["concept"]: row["height_cm"] for row in rows} == {name: each[0] for name, each in expected.items()}
    heights = defaultdict(list)
    for row in datasets.load_dataset("mycanvas", "all", data_dir=str(tmp_path / "out"), split="train"):
        for name, (*_, height) in zip(row["class_names"], row["boxes"], strict=True):
            heights[name].append(height)
    assert np.mean(heights["pink mug"]) < 0.7 * np.mean(heights["dog"])


def test_a_guessed_height_is_part_of_the_request_like_a_given_one(
    photos: Path, grounds: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    build(photos, grounds, tmp_path / "out")
    described = photos / "concepts.toml"
    described.write_text(f"[dog6]\nheight_cm = {guess_height('dog')}\n[pink_mug]\nheight_cm = {guess_height('mug')}\n")
    capsys.readouterr()
    build(photos, grounds, tmp_path / "out")

    assert TITLE not in capsys.readouterr().out
    described.write_text("[dog6]\nheight_cm = 33\n")
    with pytest.raises(SystemExit):
        build(photos, grounds, tmp_path / "out")
    assert f"height_cm was {guess_height('dog')}, now 33.0" in capsys.readouterr().err
