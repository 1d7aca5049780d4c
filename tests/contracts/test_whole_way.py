"""From photos and cut-outs to rows that are loaded by name: the real segmenter, layout, pictures and captions."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pytest

import mycanvas  # noqa: F401  (makes the name known)
from builder.cli.main import main
from mycanvas import SPLITS

PHOTOS, CUTOUTS = 2, ("ball", "box", "cone")
"""How many concepts have a photo, and those that have a ready cut-out: segmenting takes most of the time."""
SIDE = 192


@pytest.fixture(scope="module")
def built(photos: Path, shapes: Path, grounds: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A build of concepts with one picture each; the photos are real where there are any."""
    folder = tmp_path_factory.mktemp("whole")
    found = sorted(path for path in photos.iterdir() if path.is_dir() and path.name not in CUTOUTS)
    for source in (*found[:: len(found) // PHOTOS][:PHOTOS], *(shapes / name for name in CUTOUTS)):
        (folder / "photos" / source.name).mkdir(parents=True)
        shutil.copy(min(source.iterdir()), folder / "photos" / source.name)
    settings = folder / "build.toml"
    shutil.copytree(grounds, folder / "grounds")
    settings.write_text(
        f'concepts = "photos"\nbackgrounds = "grounds"\noutput = "out"\nsamples = 9\n'
        f"resolution = {SIDE}\nworkers = 1\n[segment]\nkeep_best = true\n[select]\nduplicate_bits = -1\n"
    )
    main(["build", str(settings)])
    return folder / "out"


@pytest.fixture(scope="module")
def scenes(built: Path) -> Any:
    return datasets.load_dataset("mycanvas", data_dir=str(built))


def test_every_split_has_rows_and_all_together_are_one(built: Path, scenes: Any) -> None:
    everything = datasets.load_dataset("mycanvas", "all", data_dir=str(built), split="train")

    assert list(scenes) == list(SPLITS)
    assert all(len(rows) for rows in scenes.values())
    assert everything["id"] == [row for split in SPLITS for row in scenes[split]["id"]]


def test_boxes_are_the_extents_of_the_masks_values_in_every_row(scenes: Any) -> None:
    for row in (row for rows in scenes.values() for row in rows):
        mask = np.asarray(row["mask"])
        assert mask.shape == (SIDE, SIDE)
        assert row["mask"].mode == "P"
        assert set(np.unique(mask)) == set(range(len(row["boxes"]) + 1))
        for value, (x, y, width, height) in enumerate(row["boxes"], start=1):
            rows_hit, columns_hit = np.nonzero(mask == value)
            assert (x, y) == (columns_hit.min(), rows_hit.min())
            assert (x + width, y + height) == (columns_hit.max() + 1, rows_hit.max() + 1)


def test_columns_of_objects_have_the_same_order_in_every_row(scenes: Any) -> None:
    for split, rows in scenes.items():
        for row in rows:
            count = row["num_objects"]
            names = [source.split("/")[0] for source in row["source_images"]]
            assert split == (SPLITS[0] if count <= 3 else f"objects_{count}")
            assert len(row["boxes"]) == len(row["concept_tokens"]) == len(row["class_names"]) == len(names) == count
            assert row["concept_tokens"] == [f"<{name}>" for name in names]
            assert row["composition"] == "+".join(sorted(names))


def test_captions_name_every_class_and_prompts_every_token_in_every_row(scenes: Any) -> None:
    for row in (row for rows in scenes.values() for row in rows):
        assert len(row["caption"].split()) <= 30
        assert all(noun in row["caption"] for noun in row["class_names"])
        assert row["background"] in row["caption"].lower()
        assert [row["prompt"].count(token) for token in row["concept_tokens"]] == [1] * row["num_objects"]


def test_provenance_says_what_made_a_row(scenes: Any) -> None:
    made = json.loads(scenes["objects_4"][0]["provenance"])

    assert made["segment"] == "tricut"
    assert made["seed"] == 0
    assert made["background"] in {"yard/0.png", "yard/1.png"}


def test_source_photos_come_with_masks_of_their_size(built: Path) -> None:
    rows = datasets.load_dataset("mycanvas", "concepts", data_dir=str(built), split="train")

    assert len(rows) == PHOTOS + len(CUTOUTS)
    assert all(rows["used"])
    for row in rows:
        if row["mask"] is not None:
            assert row["mask"].size == row["image"].size
            assert 0 < (np.asarray(row["mask"]) == 255).mean() < 1


def test_the_folder_loads_without_this_package(built: Path, scenes: Any) -> None:
    for split, rows in datasets.load_dataset(str(built)).items():
        assert rows["id"] == scenes[split]["id"]
    assert len(datasets.load_dataset(str(built), "concepts", split="train")) == PHOTOS + len(CUTOUTS)
