"""Real photos, or the rendered toys, through the published network u2net: what a user of the profile `photo` gets."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path

import datasets
import numpy as np
import pytest
from PIL import Image

import mycanvas  # noqa: F401  (makes the name known)
from builder.cli.main import main
from builder.cli.options import CUTOUT_SHEET
from builder.inspect.cutout_sheet import SIDE as CELL
from builder.pipeline.build_folder import BuildFolder
from mycanvas.models.onnx_files import published_session

U2NET = os.environ.get("MYCANVAS_U2NET")
CONCEPTS, VIEWS, SCENES, SIDE = 4, 2, 6, 256

pytestmark = pytest.mark.skipif(not U2NET, reason="MYCANVAS_U2NET names no file with rembg's network u2net")


@pytest.fixture(scope="module")
def settings(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A build.toml for a few concepts, evenly from all that there are, and the first photos of each."""
    folder = tmp_path_factory.mktemp("real")
    found = sorted(path for path in photos.iterdir() if path.is_dir())
    for source in found[:: max(1, len(found) // CONCEPTS)][:CONCEPTS]:
        (folder / "photos" / source.name).mkdir(parents=True)
        for photo in sorted(source.iterdir())[:VIEWS]:
            shutil.copy(photo, folder / "photos" / source.name)
    file = folder / "build.toml"
    file.write_text(
        f'profile = "photo"\nconcepts = "photos"\noutput = "out"\nsamples = {SCENES}\nsizes = [2]\n'
        f"resolution = {SIDE}\nworkers = 1\n[segment.rembg]\nmodel = \"u2net\"\nfile = '{U2NET}'\n"
    )
    return file


@pytest.fixture(scope="module")
def built(settings: Path) -> Path:
    """The dataset of `mycanvas cutouts`, then `mycanvas build`, with one output."""
    output = settings.parent / "out"
    main(["cutouts", str(settings.parent / "photos"), "--config", str(settings), "--output", str(output)])
    main(["build", str(settings)])
    return output


def test_the_file_is_the_one_that_rembg_publishes() -> None:
    assert published_session(Path(str(U2NET))) == "u2net"


def test_most_photos_are_used_and_each_of_these_has_a_mask_of_its_object(built: Path) -> None:
    photos = datasets.load_dataset("mycanvas", "concepts", data_dir=str(built), split="train")
    used = [row for row in photos if row["used"]]
    covered = [float((np.asarray(row["mask"]) > 127).mean()) for row in used]

    assert len(used) > len(photos) / 2
    assert all(0.01 < fraction < 0.95 for fraction in covered)
    assert all(row["mask"].size == row["image"].size for row in used)


def test_every_scene_is_made_and_shows_both_objects(built: Path) -> None:
    scenes = datasets.load_dataset("mycanvas", "all", data_dir=str(built), split="train")
    assert BuildFolder(built).plan().rows == SCENES
    assert len(scenes) > SCENES / 2
    for row in scenes:
        assert row["image"].size == (SIDE, SIDE)
        assert set(np.unique(np.asarray(row["mask"]))) == {0, 1, 2}


def test_provenance_names_the_network_and_its_checksum(built: Path) -> None:
    file = Path(str(U2NET))
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    scenes = datasets.load_dataset("mycanvas", "all", data_dir=str(built), split="train")

    assert json.loads(scenes[0]["provenance"])["segment"] == f"rembg {file.name}@{digest[:16]}"


def test_contact_sheet_of_the_cutouts_is_drawn(built: Path) -> None:
    with Image.open(built / CUTOUT_SHEET) as sheet:
        assert min(sheet.size) > CELL
