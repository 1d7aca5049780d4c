"""From photos to rows through every learned backend, on tiny random checkpoints: the paper's way, from end to end."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pytest

import mycanvas  # noqa: F401  (makes the name known)
from builder.cli.main import main
from builder.pipeline.scene_layers import SceneLayers
from mycanvas.dataset import open_dataset
from mycanvas.io.images import decode_rgb
from mycanvas.io.layers import flatten
from tests.conftest import photograph_toy

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # diffusers' schedulers

SAMPLES, SIZE = 2, (192, 136)
"""One side is no multiple of 16, as pipelines want it."""


def write_settings(folder: Path, tiny_model: Callable[[str], Path], concepts: Path, output: str) -> Path:
    """A build.toml in which every stage runs a model."""
    models = {name: tiny_model(name) for name in ("llm", "sdxl", "refiner", "llava", "clip", "owlvit")}
    network = shutil.copy(tiny_model("saliency"), folder / "saliency.onnx")
    file = folder / f"{output}.toml"
    file.write_text(
        f"""
concepts = "{concepts}"
output = "{output}"
samples = {SAMPLES}
sizes = [2]
resolution = "{SIZE[0]}x{SIZE[1]}"
workers = 1
memory = "low"
device = "cpu"
[segment]
backend = "rembg"
min_quality = 0.0
keep_best = true
[segment.rembg]
model = "u2net"
file = "{network}"
rounds = 2
[layout]
backend = "llm"
[layout.llm]
model = "{models["llm"]}"
tries = 1
max_tokens = 512
[repaint]
backend = "diffusion"
[repaint.diffusion]
model = "{models["sdxl"]}"
refiner = "{models["refiner"]}"
steps = 4
batch_size = 2
[caption]
backend = "vlm"
[caption.vlm]
model = "{models["llava"]}"
tries = 1
max_tokens = 16
[score]
backend = "clip"
[score.clip]
encoder = "{models["clip"]}"
detector = "{models["owlvit"]}"
"""
    )
    return file


@pytest.fixture(scope="module")
def built(tiny_model: Callable[[str], Path], grounds: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two scenes of two toys each."""
    folder = tmp_path_factory.mktemp("learned")
    photos = folder / "photos"
    for name in ("ball", "mug"):
        (photos / name).mkdir(parents=True)
        photograph_toy(photos / name / "0.jpg", name, view=0)
    main(["build", str(write_settings(folder, tiny_model, photos, "out")), "--backgrounds", str(grounds)])
    return folder / "out"


@pytest.fixture(scope="module")
def rows(built: Path) -> Any:
    return datasets.load_dataset("mycanvas", "all", data_dir=str(built), split="train")


def test_provenance_names_the_model_of_every_stage(rows: Any) -> None:
    made_by = json.loads(rows[0]["provenance"])

    assert len(rows)
    for stage, backend in (("segment", "rembg"), ("repaint", "diffusion"), ("caption", "vlm"), ("score", "clip")):
        assert made_by[stage].startswith(f"{backend} ")
        assert "@local-" in made_by[stage] or stage == "segment"


def test_published_files_hold_no_local_path_of_a_model(
    rows: Any, built: Path, tiny_model: Callable[[str], Path]
) -> None:
    folder = str(tiny_model("clip").parent)
    network = str(built.parent)

    published = [(built / "README.md").read_text(), *(row["provenance"] for row in rows)]
    assert all("clip" in text for text in published)
    assert not any(folder in text or network in text for text in published)


def test_boxes_masks_and_scores_are_whole(rows: Any) -> None:
    for row in rows:
        mask = np.asarray(row["mask"])
        assert row["image"].size == SIZE == mask.shape[::-1]
        for index, box in enumerate(row["boxes"]):
            ys, xs = np.nonzero(mask == index + 1)
            extent = [xs.min(), ys.min(), xs.max() - xs.min() + 1, ys.max() - ys.min() + 1]
            assert box == [float(value) for value in extent]
        assert all(row["scores"][name] is not None for name in ("visible", "alignment", "identity", "found"))


def test_every_token_is_in_the_prompt_once(rows: Any) -> None:
    for row in rows:
        assert all(row["prompt"].count(token) == 1 for token in row["concept_tokens"])


def test_layers_show_the_repainted_scenes(built: Path) -> None:
    layers_of = SceneLayers(built)

    for scene in open_dataset(built).scenes():
        background, *objects = layers_of(scene)
        stored, again = decode_rgb(scene.image), flatten([background, *objects])

        assert sorted(layer.index for layer in objects if layer.index is not None) == [0, 1]
        assert np.abs(again.astype(int) - stored).mean() < 2, "but for the JPEG of the objects"
        assert (background.rgba[..., 3] == 0).any(), "nothing was painted behind the objects"
