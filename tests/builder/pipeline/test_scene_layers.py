"""Layers of the scenes of a finished build, of which it stores none."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from builder.config import parse_config
from builder.pipeline.build import build
from builder.pipeline.scene_layers import SceneLayers
from mycanvas.dataset import open_dataset
from mycanvas.errors import InputError, StoreError
from mycanvas.io.checked import read_checked, write_checked
from mycanvas.io.images import decode_rgb, encode_jpeg
from mycanvas.io.layers import flatten


@pytest.fixture(scope="module")
def grounds_here(grounds: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the photos of backgrounds; a test changes one and restores it."""
    return Path(shutil.copytree(grounds, tmp_path_factory.mktemp("layers") / "grounds"))


@pytest.fixture(scope="module")
def built(shapes: Path, grounds_here: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("layers") / "built"
    values = {"concepts": shapes, "backgrounds": grounds_here, "output": folder, "samples": 6, "resolution": 160}
    build(parse_config({**values, "workers": 1}))
    return folder


def test_layers_show_the_stored_scenes(built: Path) -> None:
    layers_of = SceneLayers(built)

    for scene in open_dataset(built).scenes():
        layers = layers_of(scene)
        stored, again = decode_rgb(scene.image), flatten(layers)
        encoded = decode_rgb(encode_jpeg(again))

        assert [layer.kind for layer in layers] == ["background", "shadow", *["object"] * scene.num_objects]
        assert sorted(layer.index for layer in layers[2:] if layer.index is not None) == list(range(scene.num_objects))
        assert np.abs(encoded.astype(int) - stored).mean() < 0.5, "the same JPEG but for rounding"


def test_layers_show_scenes_with_painted_backgrounds(shapes: Path, tmp_path: Path) -> None:
    build(parse_config({"concepts": shapes, "output": tmp_path / "out", "samples": 2, "resolution": 128, "workers": 1}))
    layers_of = SceneLayers(tmp_path / "out")

    for scene in open_dataset(tmp_path / "out").scenes():
        assert np.abs(flatten(layers_of(scene)).astype(int) - decode_rgb(scene.image)).mean() < 5


def test_copy_without_the_build_is_refused(built: Path, tmp_path: Path) -> None:
    shutil.copytree(built, tmp_path / "copy", ignore=shutil.ignore_patterns(".build"))

    with pytest.raises(StoreError, match=r"no \.build folder"):
        SceneLayers(tmp_path / "copy")


def test_moved_backgrounds_are_named_as_those_of_the_build(built: Path, grounds_here: Path) -> None:
    moved = grounds_here.rename(grounds_here.with_name("moved"))
    try:
        with pytest.raises(InputError, match=r"backgrounds in .*, which does not exist; layers need them"):
            SceneLayers(built)
    finally:
        moved.rename(grounds_here)


def test_relative_backgrounds_are_found_from_another_working_folder(
    shapes: Path, grounds_here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(grounds_here.parent)
    values = {"concepts": shapes, "backgrounds": grounds_here.name, "output": tmp_path / "out", "samples": 2}
    build(parse_config({**values, "resolution": 128, "workers": 1}))
    monkeypatch.chdir(tmp_path)

    layers_of = SceneLayers(tmp_path / "out")

    assert all(layers_of(scene) for scene in open_dataset(tmp_path / "out").scenes())


def test_changed_background_photo_is_named(built: Path, grounds_here: Path) -> None:
    photo = sorted(grounds_here.rglob("*.png"))[0]
    before = photo.read_bytes()
    with Image.open(photo) as image:
        image.rotate(180).save(photo)
    try:
        with pytest.raises(StoreError, match=f"(?s)another configuration.*{photo.name}.*has changed"):
            SceneLayers(built)
    finally:
        photo.write_bytes(before)


def test_build_of_another_version_is_refused(built: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(built, tmp_path / "copy")
    step = read_checked(copy / ".build/plan/00000.json", dict)
    write_checked(copy / ".build/plan/00000.json", {**step, "request": {**step["request"], "mycanvas": "0.0.1"}})

    with pytest.raises(StoreError, match=r'mycanvas +was "0\.0\.1"'):
        SceneLayers(copy)


def test_scene_with_another_mask_is_refused(built: Path) -> None:
    first, second = list(open_dataset(built).scenes())[:2]

    with pytest.raises(StoreError, match="other visible pixels"):
        SceneLayers(built)(replace(first, mask=second.mask))


def test_layers_have_the_size_of_their_scene(shapes: Path, grounds: Path, tmp_path: Path) -> None:
    values = {"concepts": shapes, "backgrounds": grounds, "output": tmp_path / "out", "samples": 6, "workers": 1}
    build(parse_config({**values, "resolution": ["192x128", "128x192"]}))
    layers_of = SceneLayers(tmp_path / "out")

    found = set()
    for scene in open_dataset(tmp_path / "out").scenes():
        stored, again = decode_rgb(scene.image), flatten(layers_of(scene))
        found.add(again.shape[:2])
        assert np.abs(decode_rgb(encode_jpeg(again)).astype(int) - stored).mean() < 0.5
    assert found == {(128, 192), (192, 128)}
