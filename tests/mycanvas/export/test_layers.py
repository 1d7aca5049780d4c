"""Layers: the lists that musubi-tuner and DiffSynth-Studio read, and pictures that show the scene together."""

from __future__ import annotations

import io
import json
import tomllib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from builder.pipeline.scene_layers import SceneLayers
from mycanvas.dataset import Scene
from mycanvas.errors import ConfigError, InputError
from mycanvas.export import export
from mycanvas.export.source import LayersOf
from mycanvas.io.images import decode_rgb
from mycanvas.io.layers import PictureLayer
from tests.mycanvas.export.conftest import Row


def blended(paths: list[Path]) -> np.ndarray:
    picture = Image.new("RGBA", (192, 192))
    for path in paths:
        with Image.open(path) as layer:
            assert layer.mode == "RGBA"
            picture = Image.alpha_composite(picture, layer)
    return np.asarray(picture.convert("RGB")).astype(int)


def test_layers_of_every_scene_show_it(dataset: Path, scenes: dict[str, list[Row]], out: Path) -> None:
    export(dataset, "layers", out, layers=SceneLayers)

    config = tomllib.loads((out / "dataset.toml").read_text())
    described = {row["id"]: row for row in json.loads((out / "layers.json").read_text())}
    rows = {row["id"]: row for split in scenes.values() for row in split}
    found = set()
    for each in config["datasets"]:
        folder = out / each["image_directory"]
        count = int(folder.name.removeprefix("layers_"))
        assert each["multiple_target"] is True
        for caption in folder.glob("*.txt"):
            row = rows[caption.stem]
            # As musubi-tuner finds the layers of a captioned picture, and sorts them.
            layers = sorted(folder.glob(f"{row['id']}_*"), key=lambda path: int(path.stem.rpartition("_")[2]))
            assert len(layers) == count == row["num_objects"] + 2
            assert caption.read_text("utf-8") == row["caption"]
            assert caption.with_suffix(".jpg").read_bytes() == row["image"]
            difference = np.abs(blended(layers) - decode_rgb(row["image"]))
            assert difference.mean() == pytest.approx(described[row["id"]]["mean"], abs=0.3)
            assert described[row["id"]]["percentile_99"] < 60
            kinds = [layer["kind"] for layer in described[row["id"]]["layers"]]
            assert kinds == ["background", "shadow", *["object"] * row["num_objects"]]
            found.add(row["id"])
    assert found == set(rows)


def test_each_object_layer_covers_its_visible_pixels(dataset: Path, scenes: dict[str, list[Row]], out: Path) -> None:
    export(dataset, "layers", out, layers=SceneLayers)

    described = {row["id"]: row["layers"] for row in json.loads((out / "layers.json").read_text())}
    row = scenes["objects_4"][0]
    with Image.open(io.BytesIO(row["mask"])) as stored:
        mask = np.asarray(stored)
    for index, layer in enumerate(described[row["id"]]):
        if layer["kind"] == "object":
            with Image.open(out / f"layers_6/{row['id']}_{index}.png") as image:
                alpha = np.asarray(image)[..., 3]
            assert layer["token"] == row["concept_tokens"][layer["object"]]
            assert (alpha[mask == layer["object"] + 1] > 100).all()


def test_list_of_diffsynth_begins_with_the_scene(dataset: Path, scenes: dict[str, list[Row]], out: Path) -> None:
    export(dataset, "layers", out, layers=SceneLayers)

    rows = json.loads((out / "metadata.json").read_text())

    assert len(rows) == sum(map(len, scenes.values()))
    for row in rows:
        assert row["image"][0] == row["layer_input_image"]
        assert len(row["image"]) == row["layer_num"] + 1
        assert all((out / path).is_file() for path in row["image"])


def test_layers_need_a_build(dataset: Path, out: Path) -> None:
    with pytest.raises(ConfigError, match="layers are made from a build"):
        export(dataset, "layers", out)


def test_layers_of_another_picture_are_refused(dataset: Path, out: Path) -> None:
    def grey(_: Path) -> LayersOf:
        def layers(scene: Scene) -> tuple[PictureLayer, ...]:
            size = decode_rgb(scene.image).shape[:2]
            return (PictureLayer(kind="background", rgba=np.full((*size, 4), 255, np.uint8)),)

        return layers

    with pytest.raises(InputError, match=r"do not show it: on average they differ by \d+"):
        export(dataset, "layers", out, layers=grey)
