"""Fixtures that every test may ask for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.chat_server import ChatServer

SHARED_PHOTOS = Path(__file__).resolve().parents[2] / "shared" / "photos"


@pytest.fixture(scope="session", autouse=True)
def no_user_cache() -> Iterator[None]:
    """Keep the user's cache out of all tests, also of fixtures of the session; a test of the cache sets its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MYCANVAS_CACHE", "off")
        yield


@pytest.fixture(scope="session", autouse=True)
def no_user_reviews() -> Iterator[None]:
    """Keep the user's decisions about cut-outs out of all tests; a test of them sets a folder of its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MYCANVAS_REVIEWS", "off")
        yield


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of concepts: real photos where this checkout has them beside it, else one photo of each of two toys."""
    if SHARED_PHOTOS.is_dir():
        return SHARED_PHOTOS / "concepts"
    folder = tmp_path_factory.mktemp("photos")
    for name in ("duck", "teapot"):
        (folder / name).mkdir()
        photograph_toy(folder / name / "1.jpg", name, view=1)
    return folder


@pytest.fixture(scope="session")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six concepts of two ready cut-outs each, drawn in a moment: no segmenter is needed."""
    folder = tmp_path_factory.mktemp("shapes")
    for index, name in enumerate(("ball", "ball2", "box", "cone", "ring", "slab")):
        (folder / name).mkdir()
        for view in range(2):
            draw_shape(folder / name / f"{view}.png", index, view)
    return folder


@pytest.fixture(scope="session")
def grounds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of backgrounds with one scene, `yard`, of two small pictures: sky over speckled ground."""
    folder = tmp_path_factory.mktemp("grounds")
    draw_yard(folder / "yard")
    return folder


@pytest.fixture(scope="session")
def build_shapes(shapes: Path, grounds: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[int, int], Path]:
    """Makes a dataset of the shapes by `mycanvas build`, in a folder of its own: samples, resolution -> the folder."""
    from builder.cli.main import main

    def build(samples: int, resolution: int) -> Path:
        output = tmp_path_factory.mktemp("built") / "out"
        arguments = ["--concepts", shapes, "--backgrounds", grounds, "--output", output, "--workers", 1]
        arguments += ["--samples", samples, "--resolution", resolution]
        main(["build", *map(str, arguments)])
        return output

    return build


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The folder or file of a tiny random checkpoint, by its name in tests/tiny_models/registry.py."""
    folder = tmp_path_factory.mktemp("models")

    @cache
    def built(name: str) -> Path:
        import torch

        from tests.tiny_models.registry import MODELS

        torch.set_num_threads(1)  # on so little, threads mostly wait for each other
        return MODELS[name](folder / name)

    return built


@pytest.fixture(scope="session")
def chat_server(tiny_model: Callable[[str], Path]) -> Iterator[ChatServer]:
    """An OpenAI-compatible server of a tiny random language model, which keeps to JSON schemas."""
    from tests.chat_server import serve, speaks

    with serve(speaks(tiny_model("llm"))) as server:
        yield server


def photograph_toy(path: Path, name: str, view: int, side: int = 224) -> None:
    """One photograph of one toy, `side` pixels square, as the demo renders it."""
    from builder.demo.photograph import photograph
    from builder.demo.render import TOYS

    picture, _ = photograph(TOYS[name], view, side)
    Image.fromarray(picture).save(path, "JPEG", quality=95, subsampling=0)


def draw_shape(path: Path, kind: int, view: int) -> None:
    """A shaded solid of its own colour and outline on a transparent ground, 160 x 160."""
    rows, columns = np.mgrid[0:160, 0:160].astype(np.float32)
    x, y = (columns - 80) / (44 + 6 * view), (rows - 80) / (44 + 3 * kind)
    radius = np.hypot(x, y)
    inside = (radius < 1, np.maximum(abs(x), abs(y)) < 0.9, (y < 1) & (abs(x) < (y + 1) / 2), radius < 0.9)[kind % 4]
    shade = 0.6 + 0.4 * np.clip(1 - radius, 0, 1) + 0.05 * np.sin(columns / 3)
    base = np.array([(200, 60, 50), (60, 90, 200), (70, 160, 80), (220, 180, 60), (150, 80, 170), (90, 90, 95)])[kind]
    colours = np.clip(shade[..., None] * base, 0, 255).astype(np.uint8)
    Image.fromarray(np.dstack([colours, (inside * 255).astype(np.uint8)])).save(path)


def draw_yard(folder: Path) -> None:
    """Two pictures of one scene, 400 x 320: sky over speckled ground."""
    folder.mkdir()
    for index in range(2):
        noise = np.random.default_rng(index).normal(0, 12, (320, 400, 1))
        rows = np.linspace(0, 1, 320)[:, None, None]
        picture = np.where(rows < 0.45, (150, 190, 230), (120, 130 - 30 * index, 80)) + noise * (rows >= 0.45)
        Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8)).save(folder / f"{index}.png")
