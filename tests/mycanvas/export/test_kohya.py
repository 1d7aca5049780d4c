from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from PIL import Image

from mycanvas.export import export
from tests.mycanvas.conftest import encoded
from tests.mycanvas.export.conftest import Foreign, Row, picture

GENERAL = {"caption_extension", "enable_bucket"}
SUBSET = {"image_dir", "num_repeats"}
"""Of the keys that library/config_util.py of sd-scripts accepts, those that are written. It refuses unknown ones."""


def test_every_picture_of_the_configuration_has_its_prompt_beside_it(
    dataset: Path, scenes: dict[str, list[Row]], out: Path
) -> None:
    export(dataset, "kohya", out)

    config = tomllib.loads((out / "dataset.toml").read_text())

    assert set(config) == {"general", "datasets"}
    assert set(config["general"]) == GENERAL
    (group,) = config["datasets"]
    assert group["resolution"] == [192, 192]
    assert [subset["image_dir"] for subset in group["subsets"]] == list(scenes)
    for subset, rows in zip(group["subsets"], scenes.values(), strict=True):
        assert set(subset) == SUBSET
        pictures = sorted((out / subset["image_dir"]).glob("*.jpg"))
        assert [path.stem for path in pictures] == sorted(row["id"] for row in rows)
        for row in rows:
            path = out / subset["image_dir"] / row["id"]
            assert path.with_suffix(".jpg").read_bytes() == row["image"]
            assert path.with_suffix(config["general"]["caption_extension"]).read_text("utf-8") == row["prompt"]


@pytest.mark.parametrize("side", [128, 129, 191, 192, 255, 512, 1000, 1024, 1025, 1536, 2048, 4096])
def test_the_trainer_accepts_every_resolution(foreign: Foreign, out: Path, side: int) -> None:
    image = encoded(Image.new("RGB", (side, side)), "JPEG")
    export(foreign([{"image": picture(image)}]), "kohya", out)

    (group,) = tomllib.loads((out / "dataset.toml").read_text())["datasets"]

    # adjust_min_max_bucket_reso_by_steps of sd-scripts makes multiples of 64 of both, then asserts this.
    least, largest = group["min_bucket_reso"] // 64 * 64, -(-group["max_bucket_reso"] // 64) * 64
    assert group["resolution"] == [side, side]
    assert 64 <= least <= side <= largest
    assert (least, largest) == (group["min_bucket_reso"], group["max_bucket_reso"])
    assert least <= side // 64 * 64  # a square bucket is within the limits


def test_scenes_of_several_sizes_have_the_resolution_of_the_largest_area(foreign: Foreign, out: Path) -> None:
    sizes = [(896, 1152), (1024, 1024), (1600, 640)]
    export(foreign([{"image": picture(encoded(Image.new("RGB", size), "JPEG"))} for size in sizes]), "kohya", out)

    (group,) = tomllib.loads((out / "dataset.toml").read_text())["datasets"]

    assert group["resolution"] == [1024, 1024]
    assert group["min_bucket_reso"] <= 640
    assert group["max_bucket_reso"] == 1600
