"""kohya: the configuration, and every picture with its caption and its mask, as the loader of sd-scripts pairs them."""

from __future__ import annotations

import io
import tomllib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mycanvas.export import export
from mycanvas.export.selection import Selection
from tests.mycanvas.export.conftest import Foreign, Row, blank_scene

GENERAL = {"caption_extension", "enable_bucket", "bucket_no_upscale"}
DATASET = {"batch_size", "resolution", "min_bucket_reso", "max_bucket_reso", "subsets"}
SUBSET = {"image_dir", "conditioning_data_dir", "num_repeats"}
"""Of the keys that library/config_util.py of sd-scripts accepts, those that are written. It refuses unknown ones."""


def test_every_scene_has_its_prompt_and_its_mask(dataset: Path, scenes: dict[str, list[Row]], out: Path) -> None:
    export(dataset, "kohya", out)

    text = (out / "dataset.toml").read_text()
    config = tomllib.loads(text)

    assert "is_reg" not in text
    rows = [row for split in scenes.values() for row in split]
    assert set(config) == {"general", "datasets"}
    assert set(config["general"]) == GENERAL
    (group,) = config["datasets"]
    assert set(group) == DATASET
    assert group["resolution"] == [192, 192]
    (subset,) = group["subsets"]
    assert set(subset) == SUBSET
    images, masks = out / subset["image_dir"], out / subset["conditioning_data_dir"]
    names = sorted(row["id"] for row in rows)
    assert sorted(path.stem for path in images.glob("*.jpg")) == names
    assert sorted(path.name for path in masks.iterdir()) == [f"{name}.png" for name in names]
    for row in rows:
        path = images / row["id"]
        assert path.with_suffix(".jpg").read_bytes() == row["image"]
        assert path.with_suffix(config["general"]["caption_extension"]).read_text("utf-8") == row["prompt"]
        with Image.open(masks / f"{row['id']}.png") as mask, Image.open(io.BytesIO(row["mask"])) as stored:
            assert np.array_equal(np.asarray(mask), np.where(np.asarray(stored) > 0, 255, 0))


def test_class_pictures_and_held_out_scenes_are_datasets_without_masks(dataset: Path, tmp_path: Path) -> None:
    classes = tmp_path / "classes/dog"
    classes.mkdir(parents=True)
    Image.new("RGB", (64, 64)).save(classes / "a.png")

    export(dataset, "kohya", tmp_path / "out", Selection(regularization=tmp_path / "classes", holdout=3))

    _, regularization, holdout = tomllib.loads((tmp_path / "out/dataset.toml").read_text())["datasets"]
    assert regularization["subsets"] == [{"image_dir": "regularization", "num_repeats": 1}]
    assert holdout["subsets"] == [{"image_dir": "holdout", "num_repeats": 1}]
    assert holdout["validation_split"] == 1.0
    assert "Class pictures have no is_reg" in (tmp_path / "out/dataset.toml").read_text()
    assert "--masked_loss" in (tmp_path / "out/train.sh").read_text()


@pytest.mark.parametrize("side", [128, 129, 191, 192, 255, 512, 1000, 1024, 1025, 1536, 2048, 4096])
def test_the_trainer_accepts_every_resolution(foreign: Foreign, out: Path, side: int) -> None:
    export(foreign([blank_scene((side, side))]), "kohya", out)

    (group,) = tomllib.loads((out / "dataset.toml").read_text())["datasets"]

    # adjust_min_max_bucket_reso_by_steps of sd-scripts makes multiples of 64 of both, then asserts this.
    least, largest = group["min_bucket_reso"] // 64 * 64, -(-group["max_bucket_reso"] // 64) * 64
    assert group["resolution"] == [side, side]
    assert 64 <= least <= side <= largest
    assert (least, largest) == (group["min_bucket_reso"], group["max_bucket_reso"])
    assert least <= side // 64 * 64  # a square bucket is within the limits


def test_scenes_of_several_sizes_have_the_resolution_of_the_largest_area(foreign: Foreign, out: Path) -> None:
    sizes = [(896, 1152), (1024, 1024), (1600, 640)]
    export(foreign([blank_scene(size) for size in sizes]), "kohya", out)

    (group,) = tomllib.loads((out / "dataset.toml").read_text())["datasets"]

    assert group["resolution"] == [1024, 1024]
    assert group["min_bucket_reso"] <= 640
    assert group["max_bucket_reso"] == 1600
