"""The pictures of README.md, made by the demo's own code at a reduced size.

`python -m tests.docs_pictures` writes them again, after a change of the toys, of cutting out or of composing.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from builder.config import load_config
from builder.demo.render import TOYS
from builder.inspect.contact_sheet import contact_sheet
from builder.pipeline.build import build
from mycanvas.dataset import Photo, open_dataset
from mycanvas.io.images import decode, decode_rgb
from tests.conftest import photograph_toy

IMAGES = Path(__file__).parents[1] / "docs" / "images"
SHEET, CUTOUT = "demo.jpg", "cutout.jpg"
COMPOSITIONS = (
    ("duck", "teapot"),
    ("mushroom", "robot"),
    ("car", "robot", "rocket"),
    ("car", "duck", "rocket", "teapot"),
    ("duck", "mushroom", "robot", "rocket"),
    ("car", "duck", "mushroom", "robot", "teapot"),
)
"""One scene of each; of each toy, its second photograph."""
CUT_OUT = ("robot", "teapot", "duck")
RESOLUTION, COLUMNS, SQUARE, GAP = 320, 3, 8, 12


def make_pictures(
    work: Path, compositions: Sequence[Sequence[str]] = COMPOSITIONS, cut_out: Sequence[str] = CUT_OUT
) -> Mapping[str, Image.Image]:
    """Build a small demo dataset in an empty folder, and draw each picture by its file name."""
    for name in sorted({name for names in compositions for name in names}):
        (work / "concepts" / name).mkdir(parents=True)
        photograph_toy(work / "concepts" / name / "1.jpg", name, view=1)
        text = f'[{name}]\nclass_noun = "{TOYS[name].class_noun}"\nheight_cm = {TOYS[name].height_cm:g}\n'
        with (work / "concepts" / "concepts.toml").open("a") as file:
            file.write(text)
    values = {"concepts": work / "concepts", "output": work / "data", "resolution": RESOLUTION, "workers": 1}
    chosen = {"samples": len(compositions), "compositions": [list(names) for names in compositions]}
    build(load_config(None, None, {**values, **chosen}))
    dataset = open_dataset(work / "data")
    photos = {photo.concept: photo for photo in dataset.photos()}
    scenes = sorted(dataset.scenes(), key=lambda scene: compositions.index(tuple(scene.composition.split("+"))))
    return {
        SHEET: contact_sheet(scenes, columns=min(COLUMNS, len(scenes))),
        CUTOUT: beside([before_and_after(photos[name]) for name in cut_out]),
    }


def before_and_after(photo: Photo) -> Image.Image:
    """A photo, and beside it its object on a chessboard."""
    pixels = decode_rgb(photo.image)
    assert photo.mask is not None
    alpha = np.asarray(decode(photo.mask).image.convert("L"), np.float32)[..., None] / 255
    rows, columns = np.indices(pixels.shape[:2]) // SQUARE
    board = np.where((rows + columns) % 2, 255, 225)[..., None]
    cut_out = (alpha * pixels + (1 - alpha) * board).round().astype(np.uint8)
    return Image.fromarray(np.concatenate([pixels, cut_out], axis=1))


def beside(pictures: Sequence[Image.Image]) -> Image.Image:
    """Pictures of one size in a row."""
    width, height = pictures[0].size
    row = Image.new("RGB", (len(pictures) * (width + GAP) - GAP, height), "white")
    for index, picture in enumerate(pictures):
        row.paste(picture, (index * (width + GAP), 0))
    return row


def main() -> None:
    """Write the pictures into docs/images."""
    with tempfile.TemporaryDirectory() as folder:
        for name, picture in make_pictures(Path(folder)).items():
            picture.save(IMAGES / name, quality=80)


if __name__ == "__main__":
    main()
