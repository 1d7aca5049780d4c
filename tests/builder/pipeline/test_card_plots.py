"""The plots of the card: made with the dataset, the same each time, and never in place of a file of others."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from builder.pipeline.clean import clean
from builder.pipeline.finalize import reselect
from builder.pipeline.placements import CELLS, measure
from mycanvas.errors import StoreError

PLOTS = ("plots/positions.png", "plots/sizes.png")


@pytest.fixture(scope="module")
def once(build_shapes: Callable[[int, int], Path]) -> Path:
    return build_shapes(12, 128)


@pytest.fixture
def built(once: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(once, tmp_path / "out"))


def files(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in ("README.md", *PLOTS)}


def test_card_shows_its_plots_with_words_for_those_who_cannot_see_them(built: Path) -> None:
    shown = re.findall(r'<img src="(\S+)" alt="(.+)" width="49%">', (built / "README.md").read_text())

    assert tuple(path for path, _ in shown) == PLOTS
    assert all(len(alt) > 60 for _, alt in shown)
    for name in PLOTS:
        with Image.open(built / name) as image:
            assert (image.format, image.size) == ("PNG", (960, 720))


def test_same_selection_gives_the_same_plots_and_card(built: Path) -> None:
    before = files(built)
    reselect(built, {"per_composition": 1})
    other = files(built)
    reselect(built, {"per_composition": None})

    assert files(built) == before
    assert all(other[name] != before[name] for name in other)


@pytest.mark.parametrize("manifest", [True, False])
def test_lost_plot_is_drawn_again(built: Path, manifest: bool) -> None:
    before = files(built)
    (built / PLOTS[0]).unlink()
    (built / PLOTS[1]).write_bytes(before[PLOTS[1]][:-9])
    if not manifest:
        (built / ".build" / "selected.json").unlink()

    reselect(built, {})

    assert files(built) == before


@pytest.mark.parametrize("is_link", [True, False])
def test_plot_of_others_is_refused_before_anything_changes(built: Path, tmp_path: Path, is_link: bool) -> None:
    before = {path: path.read_bytes() for path in built.rglob("*") if path.is_file()}
    mine = built / PLOTS[0]
    mine.unlink()
    if is_link:
        (tmp_path / "mine.png").write_bytes(before[mine])
        mine.symlink_to(tmp_path / "mine.png")
    else:
        mine.write_bytes(b"mine")

    with pytest.raises(StoreError, match=r"positions.png is not a file of this build; move it, then run the same"):
        reselect(built, {"per_composition": 1})

    assert all(path.read_bytes() == content for path, content in before.items() if path != mine)
    assert mine.is_symlink() or mine.read_bytes() == b"mine"


def test_clean_frees_an_unfinished_plot_and_no_whole_one(built: Path) -> None:
    left = built / "plots" / f".sizes.png.{'0' * 16}.unfinished"
    left.write_bytes(b"half")

    found = clean(built).files

    assert left in found["unfinished"]
    assert not any(file.suffix == ".png" and "plots" in file.parts for kind in found.values() for file in kind)


def test_positions_are_counted_where_boxes_are_and_sizes_are_fractions() -> None:
    left_half = [(0.0, 0.0, 100.0, 100.0)]

    found = measure([(left_half, (200, 100)), ([], (50, 50))])

    assert tuple(found.areas) == (0.5,)
    assert np.array_equal(found.coverage, np.repeat([[0.5] * (CELLS // 2) + [0.0] * (CELLS // 2)], CELLS, axis=0))
    assert found.peak() == (0.5 / CELLS, 0.5 / CELLS)
