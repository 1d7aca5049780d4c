"""Datasets with scenes of several sizes: one rule for the resolution of all trainers."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from mycanvas.export import export
from mycanvas.export.sizes import largest
from tests.mycanvas.export.conftest import Foreign, blank_scene

SIZES = [(96, 64), (96, 64), (128, 128), (160, 96)]
"""128x128 has the largest area; 96x64 is the most frequent, and 160x96 the widest."""


def resolutions(name: str, out: Path) -> Any:
    """The resolutions in an export's configuration."""
    if name in {"kohya", "musubi", "musubi-edit", "ideogram4"}:
        config = tomllib.loads((out / "dataset.toml").read_text())
        assert config["general"]["bucket_no_upscale"] is True
        return config["general"].get("resolution") or next(dataset["resolution"] for dataset in config["datasets"])
    if name in {"ai-toolkit", "ai-toolkit-edit"}:
        (process,) = json.loads((out / "config.json").read_text())["config"]["process"]
        return next(dataset["resolution"] for dataset in process["datasets"])
    if name == "onetrainer":
        return [int(json.loads((out / "config.json").read_text())["resolution"])]
    if name in {"simpletuner", "bbox"}:
        return [json.loads((out / "multidatabackend.json").read_text())[0]["resolution"]]
    found = re.findall(r"--(?:resolution|max_pixels) (\d+)", (out / "train.sh").read_text())
    return [int(found[0]) // (128 if name == "diffsynth" else 1)]


@pytest.mark.parametrize(
    "name",
    [
        *("ai-toolkit", "ai-toolkit-edit", "bbox", "diffsynth", "diffusers", "ideogram4", "kohya"),
        *("musubi", "musubi-edit", "onetrainer", "simpletuner"),
    ],
)
def test_the_size_with_the_largest_area_is_the_resolution(foreign: Foreign, out: Path, name: str) -> None:
    export(foreign([blank_scene(size) for size in SIZES]), name, out)

    assert set(resolutions(name, out)) == {128}


@pytest.mark.parametrize("name", ["kohya", "musubi"])
def test_pictures_below_a_step_of_buckets_are_enlarged(foreign: Foreign, out: Path, name: str) -> None:
    export(foreign([{}]), name, out)  # 16x12 pixels

    assert tomllib.loads((out / "dataset.toml").read_text())["general"]["bucket_no_upscale"] is False


def test_of_equal_areas_the_more_frequent_size_is_the_largest() -> None:
    assert largest({(64, 32): 3, (32, 64): 2, (16, 16): 9}) == (64, 32)
    assert largest({(64, 32): 2, (32, 64): 3}) == (32, 64)
