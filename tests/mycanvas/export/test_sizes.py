"""Limits of pixels in configurations: trainers scale down and crop pictures that have more."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from mycanvas.export import export
from tests.mycanvas.export.conftest import Foreign, blank_scene


def ai_toolkit(out: Path) -> int:
    """get_bucket_for_image_size of ai-toolkit: the square of `resolution`."""
    (process,) = json.loads((out / "config.json").read_text("utf-8"))["config"]["process"]
    (resolution,) = process["datasets"][0]["resolution"]
    return int(resolution) ** 2


def musubi(out: Path) -> int:
    """BucketSelector of musubi-tuner: the area of `resolution`; without enlarging, smaller ones keep their shape."""
    general = tomllib.loads((out / "dataset.toml").read_text("utf-8"))["general"]
    assert general["bucket_no_upscale"]
    width, height = general["resolution"]
    return int(width) * int(height)


def diffsynth(out: Path) -> int:
    """ImageCropAndResize of DiffSynth-Studio: --max_pixels."""
    found = re.search(r"--max_pixels (\d+)", (out / "train.sh").read_text("utf-8"))
    assert found
    return int(found[1])


LIMITS: Mapping[str, Callable[[Path], int]] = {
    "ai-toolkit": ai_toolkit,
    "ai-toolkit-edit": ai_toolkit,
    "diffsynth": diffsynth,
    "ideogram4": musubi,
    "musubi": musubi,
    "musubi-edit": musubi,
}


@pytest.mark.parametrize("sizes", [[(640, 448)], [(1152, 896), (1152, 896), (1024, 1024)]])
@pytest.mark.parametrize("name", LIMITS)
def test_limit_of_pixels_is_that_of_the_largest_scene(
    foreign: Foreign, out: Path, name: str, sizes: list[tuple[int, int]]
) -> None:
    export(foreign([blank_scene(size) for size in sizes]), name, out)

    area = max(width * height for width, height in sizes)
    assert area <= LIMITS[name](out) < 1.01 * area
