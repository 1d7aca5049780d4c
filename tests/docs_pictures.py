"""The pictures of README.md, made by the demo's own code at a reduced size.

`python -m tests.docs_pictures` writes them again, after a change of the toys, of cutting out or of composing.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image

from builder.config import load_config
from builder.demo.render import render_toys
from builder.inspect.contact_sheet import contact_sheet
from builder.pipeline.build import build
from mycanvas.dataset import Photo, open_dataset
from mycanvas.io.images import decode, decode_rgb

IMAGES = Path(__file__).parents[1] / "docs" / "images"
SHEET, CUTOUT = "demo.jpg", "cutout.jpg"
TOY_SIZE = 224
"""Width of the toys' photographs, that of the fixture `toys`: the demo's are 512 pixels wide."""
TOYS = ("car", "duck", "mug2", "mushroom", "robot", "teapot")
"""Six of the twelve toys, each with its second photograph."""
SHOWN = ("robot/1.jpg", "teapot/1.jpg", "duck/1.jpg")
SCENES, RESOLUTION, COLUMNS = 6, 320, 3
SQUARE = 8


def make_pictures(toys: Path, work: Path) -> Mapping[str, Image.Image]:
    """Build a small demo dataset in an empty folder, and draw each picture by its file name."""
    for name in TOYS:
        (work / "concepts" / name).mkdir(parents=True)
        shutil.copy(toys / "concepts" / name / "1.jpg", work / "concepts" / name)
    shutil.copy(toys / "concepts" / "concepts.toml", work / "concepts")
    listed = (work / "concepts" / "concepts.toml").read_text().split("\n\n")
    kept = [section for section in listed if section.strip().partition("]")[0].strip("[") in TOYS]
    (work / "concepts" / "concepts.toml").write_text("\n\n".join(kept))
    values = {"concepts": work / "concepts", "output": work / "data", "samples": SCENES, "resolution": RESOLUTION}
    build(load_config(None, None, {**values, "workers": 1, "select": {"duplicate_bits": -1}}))
    dataset = open_dataset(work / "data")
    by_id = {photo.id: photo for photo in dataset.photos()}
    pairs = [part for name in SHOWN for part in _before_and_after(by_id[name])]
    return {
        SHEET: contact_sheet(dataset.scenes(), SCENES, COLUMNS),
        CUTOUT: Image.fromarray(np.concatenate(pairs, axis=1)),
    }


def _before_and_after(photo: Photo) -> list[np.ndarray]:
    """A photo, then its object on a chessboard."""
    pixels = decode_rgb(photo.image)
    assert photo.mask is not None
    alpha = np.asarray(decode(photo.mask).convert("L"), np.float32)[..., None] / 255
    rows, columns = np.indices(pixels.shape[:2]) // SQUARE
    board = np.where((rows + columns) % 2, 255, 225)[..., None]
    return [pixels, (alpha * pixels + (1 - alpha) * board).round().astype(np.uint8)]


def main() -> None:
    """Write the pictures into docs/images."""
    with tempfile.TemporaryDirectory() as folder:
        render_toys(Path(folder) / "toys", size=TOY_SIZE)
        for name, picture in make_pictures(Path(folder) / "toys", Path(folder)).items():
            picture.save(IMAGES / name, quality=86)


if __name__ == "__main__":
    main()
