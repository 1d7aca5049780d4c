"""The pictures that README.md shows are those that the demo's code makes now."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from builder.inspect.contact_sheet import GAP as TILE_GAP
from tests.docs_pictures import COLUMNS, COMPOSITIONS, CUT_OUT, CUTOUT, GAP, IMAGES, SHEET, make_pictures

ROOT = Path(__file__).parents[2]
REMADE = 0
"""The composition that is made again: all six would take half a minute."""
BLOCK = 16
REMAKE = "it is not the picture that the code makes now; look at both, then run: python -m tests.docs_pictures"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Image.Image]:
    assert set(COMPOSITIONS[REMADE]) >= {CUT_OUT[1]}
    return make_pictures(tmp_path_factory.mktemp("pictures"), [COMPOSITIONS[REMADE]], [CUT_OUT[1]])


def test_the_contact_sheet_is_what_the_demo_makes(made: Mapping[str, Image.Image]) -> None:
    tile = made[SHEET]
    left, top = REMADE % COLUMNS * (tile.width + TILE_GAP), REMADE // COLUMNS * (tile.height + TILE_GAP)
    shown = Image.open(IMAGES / SHEET).crop((left, top, left + tile.width, top + tile.height))

    assert largest_difference(shown, tile) < 12, REMAKE


def test_the_cut_out_is_what_the_segmenter_makes(made: Mapping[str, Image.Image]) -> None:
    pair = made[CUTOUT]
    left = pair.width + GAP
    shown = Image.open(IMAGES / CUTOUT).crop((left, 0, left + pair.width, pair.height))

    assert largest_difference(shown, pair) < 12, REMAKE


def test_a_moved_object_and_another_colour_are_noticed(made: Mapping[str, Image.Image]) -> None:
    tile = made[SHEET]
    moved = tile.copy()
    moved.paste(tile.crop((40, 40, 280, 280)), (48, 40))
    tinted = Image.fromarray((np.asarray(tile, np.float32) * (0.8, 1, 1)).astype(np.uint8))

    assert largest_difference(tile, tile) == 0
    assert largest_difference(moved, tile) > 24
    assert largest_difference(tinted, tile) > 24


def test_every_picture_in_a_document_exists_and_is_small() -> None:
    for document in (ROOT / "README.md", *(ROOT / "docs").glob("*.md")):
        for name in re.findall(r"!\[[^]]+\]\((?!https?:)([^)]+)\)", document.read_text("utf-8")):
            assert 0 < (document.parent / name).stat().st_size < 150_000, f"{document.name}: {name}"


def largest_difference(first: Image.Image, second: Image.Image) -> float:
    """The largest difference of two pictures' means over a block, 0 to 255: noise of JPEG averages out."""
    assert first.size == second.size
    difference = np.asarray(first, np.float32) - np.asarray(second, np.float32)
    height, width = (side // BLOCK * BLOCK for side in difference.shape[:2])
    blocks = difference[:height, :width].reshape(height // BLOCK, BLOCK, width // BLOCK, BLOCK, 3)
    return float(np.abs(blocks.mean(axis=(1, 3))).max())
