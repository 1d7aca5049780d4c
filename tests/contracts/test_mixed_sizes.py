"""A dataset of scenes of several sizes goes the whole way: build, load, contact sheet, exports, evaluation."""

from __future__ import annotations

import json
import math
import tomllib
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pytest
from PIL import Image

import mycanvas  # noqa: F401  (makes the name known)
from builder.cli.main import main
from builder.inspect.contact_sheet import CAPTION, COLUMNS, GAP, TILE
from mycanvas.collate import collate

SIZES = {(128, 128), (192, 128), (128, 192), (256, 128)}


@pytest.fixture(scope="module")
def built(shapes: Path, grounds: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mixed")
    settings = folder / "build.toml"
    settings.write_text(
        f'concepts = "{shapes}"\nbackgrounds = "{grounds}"\noutput = "out"\nsamples = 30\nworkers = 1\n'
        'sizes = [1, 2, 3, 4]\nresolution = [128, "192x128", "128x192", "256x128"]\n[select]\nduplicate_bits = -1\n'
    )
    main(["build", str(settings)])
    return folder / "out"


@pytest.fixture(scope="module")
def rows(built: Path) -> Any:
    return datasets.load_dataset("mycanvas", "all", data_dir=str(built), split="train")


def test_every_size_is_drawn_and_masks_and_boxes_follow(rows: Any) -> None:
    assert {row["image"].size for row in rows} == SIZES
    for row in rows:
        mask = np.asarray(row["mask"])
        assert row["mask"].size == row["image"].size
        for value, (x, y, width, height) in enumerate(row["boxes"], start=1):
            down, across = np.nonzero(mask == value)
            assert (x, y) == (across.min(), down.min())
            assert (x + width, y + height) == (across.max() + 1, down.max() + 1)


def test_objects_keep_their_proportions_in_every_size(rows: Any, shapes: Path) -> None:
    compared = Counter[tuple[int, int]]()
    for row in rows:
        if row["scores"]["visible"] < 1 or row["scores"]["border"] > 0:
            continue
        for (_, _, width, height), source in zip(row["boxes"], row["source_images"], strict=True):
            with Image.open(shapes / source) as cutout:
                left, top, right, bottom = cutout.getchannel("A").point(lambda v: 255 * (v > 127)).getbbox() or (0,) * 4
            assert abs(width * (bottom - top) - height * (right - left)) <= 2.5 * max(right - left, bottom - top)
            compared[row["image"].size] += 1
    assert set(compared) == SIZES


def test_a_second_build_draws_the_same_sizes(built: Path, rows: Any, tmp_path: Path) -> None:
    main(["build", str(built.parent / "build.toml"), "--output", str(tmp_path / "again"), "--workers", "2"])
    again = datasets.load_dataset("mycanvas", "all", data_dir=str(tmp_path / "again"), split="train")

    undecoded = datasets.Image(decode=False)
    assert again.cast_column("image", undecoded)["image"] == rows.cast_column("image", undecoded)["image"]


def test_batches_card_and_sheet_show_all_sizes(built: Path, rows: Any) -> None:
    batch = collate([rows[index] for index in range(4)])
    main(["inspect", str(built)])

    assert [tuple(image.shape[1:])[::-1] for image in batch["image"]] == [
        rows[index]["image"].size for index in range(4)
    ]
    text = "24 scenes of 128 × 128, 192 × 128, 128 × 192 or 256 × 128 pixels"
    assert text.replace("24", str(len(rows))) in (built / "README.md").read_text(encoding="utf-8")
    with Image.open(built / "contact_sheet.png") as sheet:
        assert sheet.width == COLUMNS * (TILE + GAP) - GAP
        width, height = rows[0]["image"].size
        drawn = (np.asarray(sheet)[:TILE, :TILE] < 250).any(axis=2)
        shown = round(TILE * width / max(width, height)), round(TILE * height / max(width, height))
        assert np.ptp(np.flatnonzero(drawn.any(axis=0))) + 1 == pytest.approx(shown[0], abs=2)
        assert np.ptp(np.flatnonzero(drawn.any(axis=1))) + 1 == pytest.approx(shown[1], abs=2)
        assert sheet.height % (TILE + CAPTION + GAP) == TILE + CAPTION


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # pycocotools
def test_coco_has_each_image_s_size_and_masks(built: Path, rows: Any, tmp_path: Path) -> None:
    rle = pytest.importorskip("pycocotools.mask")
    main(["export", str(built), "--format", "coco", "--output", str(tmp_path / "coco")])
    by_id = {row["id"]: row for row in rows}

    seen = 0
    for file in sorted((tmp_path / "coco" / "annotations").iterdir()):
        found = json.loads(file.read_text())
        images = {image["id"]: image for image in found["images"]}
        for image in found["images"]:
            assert (image["width"], image["height"]) == by_id[image["file_name"].removesuffix(".jpg")]["image"].size
        for annotation in found["annotations"]:
            image = images[annotation["image_id"]]
            decoded = rle.decode(annotation["segmentation"])
            assert decoded.shape == (image["height"], image["width"])
            assert decoded.sum() == annotation["area"]
            seen += 1
    assert seen == sum(row["num_objects"] for row in rows)


def test_kohya_has_buckets_for_every_size(built: Path, rows: Any, tmp_path: Path) -> None:
    main(["export", str(built), "--format", "kohya", "--output", str(tmp_path / "kohya")])
    config = tomllib.loads((tmp_path / "kohya" / "dataset.toml").read_text())
    (group,) = config["datasets"]
    area, step = group["resolution"][0] * group["resolution"][1], 64
    # make_bucket_resolutions in library/model_util.py of sd-scripts: for each width, the largest height in the area.
    widths = range(group["min_bucket_reso"], group["max_bucket_reso"] + 1, step)
    buckets = {(width, min(group["max_bucket_reso"], area // width // step * step)) for width in widths}
    square = math.isqrt(area) // step * step
    buckets |= {(height, width) for width, height in buckets} | {(square, square)}

    assert config["general"]["enable_bucket"]
    assert len(list((tmp_path / "kohya").rglob("*.jpg"))) == len(rows)
    for width, height in SIZES:
        assert width * height <= area
        assert group["min_bucket_reso"] <= min(width, height)
        assert max(width, height) <= group["max_bucket_reso"]
        assert min(abs(width / height - bucket[0] / bucket[1]) for bucket in buckets if bucket[1]) < 0.01


def test_yolo_boxes_are_fractions_of_each_image(built: Path, rows: Any, tmp_path: Path) -> None:
    main(["export", str(built), "--format", "yolo", "--output", str(tmp_path / "yolo")])

    for row in rows:
        (label,) = (tmp_path / "yolo" / "labels").rglob(f"{row['id']}.txt")
        across, down = row["image"].size
        for line, (x, y, width, height) in zip(label.read_text().splitlines(), row["boxes"], strict=True):
            numbers = [float(number) for number in line.split()[1:]]
            expected = [(x + width / 2) / across, (y + height / 2) / down, width / across, height / down]
            assert numbers == pytest.approx(expected, abs=1e-6)


def test_scenes_of_every_size_are_evaluated(
    built: Path, rows: Any, tiny_model: Callable[[str], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    models = ["--encoder", tiny_model("clip"), "--detector", tiny_model("owlvit"), "--device", "cpu"]
    arguments = ["evaluate", "--dataset", built, *models, "--threshold", 0.3, "--cache", tmp_path / "vectors", "--json"]
    capsys.readouterr()

    main([str(argument) for argument in arguments])

    (arm,) = json.loads(capsys.readouterr().out)["arms"].values()
    assert [picture["id"] for picture in arm["pictures"]] == rows["id"]
    for picture, row in zip(arm["pictures"], rows, strict=True):
        width, height = row["image"].size
        for box in picture["boxes"]:
            x, y, across, down = box["box"]
            assert min(x, y) >= 0
            assert x + across <= width + 1e-3
            assert y + down <= height + 1e-3
