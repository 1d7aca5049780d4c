"""Colours that a user erased, and that editors keep under transparent pixels, are nowhere in what is published."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import datasets
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import mycanvas  # noqa: F401  (makes the name known)
from builder.cli.main import main
from mycanvas.io.images import decode_rgb, quiet_decoding

SIDE = 200
ERASED = np.s_[0:48, 0:190]
"""Rows and columns of stripes, black and white, that a user erased."""


def striped(alpha: int) -> Image.Image:
    """A disk on stripes that were erased, by a hard or a soft eraser, with the disk's surroundings."""
    rows, columns = np.mgrid[0:SIDE, 0:SIDE]
    pixels = np.zeros((SIDE, SIDE, 4), np.uint8)
    pixels[..., 0] = 255 * (columns // 6 % 2)
    pixels[..., 3] = alpha
    pixels[np.hypot(rows - 120, columns - 100) < 70] = (40, 160, 60, 255)
    return Image.fromarray(pixels)


def with_hole() -> Image.Image:
    """A photo of a disk, with the stripes erased from it."""
    image = striped(255)
    alpha = np.full((SIDE, SIDE), 255, np.uint8)
    alpha[ERASED] = 0
    image.putalpha(Image.fromarray(alpha))
    return image


PICTURES: dict[str, Callable[[], Image.Image]] = {
    "hard": lambda: striped(0),
    "soft": lambda: striped(9),
    "hole": with_hole,
}


def saved(image: Image.Image, kind: str) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **({"lossless": True, "exact": True} if kind == "WEBP" else {}))
    return stream.getvalue()


def contrast(pixels: NDArray[np.uint8]) -> float:
    """Of the stripes, away from JPEG's blocks that hold an edge."""
    return float(pixels[ERASED][:32, :160].astype(float).std(axis=1).max())


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
@pytest.mark.parametrize("name", PICTURES)
def test_generated_or_reference_picture_is_scored_without_what_was_erased(name: str, kind: str) -> None:
    with quiet_decoding():
        pixels = decode_rgb(saved(PICTURES[name](), kind))

    assert contrast(pixels) < 8
    assert pixels[120, 100].tolist() == [40, 160, 60]


def test_colour_that_a_palette_declares_transparent_is_not_shown() -> None:
    palette = Image.new("P", (SIDE, SIDE), 0)
    palette.putpalette([250, 0, 0, 10, 200, 30])
    palette.paste(1, (60, 60, 140, 140))
    stream = io.BytesIO()
    palette.save(stream, "PNG", transparency=0)

    with quiet_decoding():
        pixels = decode_rgb(stream.getvalue())

    assert pixels[0, 0].tolist() == [128, 128, 128]
    assert pixels[100, 100].tolist() == [10, 200, 30]


def test_published_photos_and_exports_hold_nothing_that_was_erased(grounds: Path, tmp_path: Path) -> None:
    for name, picture in PICTURES.items():
        (tmp_path / "photos" / f"{name} disk").mkdir(parents=True)
        picture().save(tmp_path / "photos" / f"{name} disk" / "1.png")
    out, exported = tmp_path / "out", tmp_path / "exported"
    arguments = ["--concepts", tmp_path / "photos", "--backgrounds", grounds, "--output", out, "--workers", 1]
    main(["build", *map(str, arguments), "--samples", "3", "--resolution", "160", "--keep-best"])
    main(["export", str(out), "--format", "custom-diffusion", "--output", str(exported)])

    concepts = datasets.load_dataset("mycanvas", "concepts", data_dir=str(out), split="train")

    published = [np.asarray(row["image"]) for row in concepts]
    files = [np.asarray(Image.open(file).convert("RGB")) for file in exported.glob("concepts/*/*")]
    assert len(published) == len(files) == len(PICTURES)
    assert max(map(contrast, published + files)) < 8
