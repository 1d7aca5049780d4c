from __future__ import annotations

import tomllib
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from builder.demo.photograph import VIEWS, photograph
from builder.demo.render import PICTURES, TOYS, check_toys, render_toys
from mycanvas.errors import StoreError

SIZE = 64
EVERY_VIEW = [(name, view) for name in TOYS for view in range(len(VIEWS))]


@pytest.fixture(scope="module")
def toys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All toys, in this process: to start others takes as long as to render."""
    folder = tmp_path_factory.mktemp("toys")
    render_toys(folder, workers=1, size=SIZE)
    return folder


def _alpha(toys: Path, name: str, view: int) -> NDArray[np.uint8]:
    return np.asarray(Image.open(toys / "alpha" / name / f"{view}.png"))


def test_every_toy_has_a_jpeg_and_an_alpha_of_the_same_size_for_each_view(toys: Path) -> None:
    for name, view in EVERY_VIEW:
        with (
            Image.open(toys / "concepts" / name / f"{view}.jpg") as picture,
            Image.open(toys / "alpha" / name / f"{view}.png") as alpha,
        ):
            assert (picture.format, picture.mode, alpha.mode) == ("JPEG", "RGB", "L")
            assert picture.size == alpha.size


def test_folder_holds_only_the_files_of_the_toys(toys: Path) -> None:
    pictures = {f"concepts/{name}/{view}.jpg" for name, view in EVERY_VIEW}
    alphas = {f"alpha/{name}/{view}.png" for name, view in EVERY_VIEW}
    found = {path.relative_to(toys).as_posix() for path in toys.rglob("*") if path.is_file()}
    assert found == pictures | alphas | {"concepts/concepts.toml", ".toys"}
    assert len(pictures) == PICTURES


def test_concepts_toml_gives_each_toy_a_noun_a_height_and_its_maker(toys: Path) -> None:
    tables = tomllib.loads((toys / "concepts" / "concepts.toml").read_text(encoding="utf-8"))
    assert set(tables) == set(TOYS)
    assert all(set(table) == {"class_noun", "height_cm", "attribution"} for table in tables.values())
    assert all(table["height_cm"] > 0 and "CC0" in table["attribution"] for table in tables.values())


def test_two_toys_share_a_class(toys: Path) -> None:
    tables = tomllib.loads((toys / "concepts" / "concepts.toml").read_text(encoding="utf-8"))
    assert len({table["class_noun"] for table in tables.values()}) < len(tables)


@pytest.mark.parametrize(("name", "view"), EVERY_VIEW)
def test_a_toy_is_one_piece_inside_the_frame(toys: Path, name: str, view: int) -> None:
    alpha = _alpha(toys, name, view)
    count, _, stats, _ = cv2.connectedComponentsWithStats((alpha > 127).astype(np.uint8))
    rows, columns = np.nonzero(alpha)
    margin = 0.04 * len(alpha)
    assert count == 2
    assert min(rows.min(), columns.min()) > margin
    assert max(rows.max(), columns.max()) < len(alpha) - margin
    assert 0.1 < stats[1, cv2.CC_STAT_AREA] / alpha.size < 0.6


def test_alpha_is_soft_along_the_outline_and_nowhere_else(toys: Path) -> None:
    alpha = _alpha(toys, "teapot", 0)
    inner, outer = cv2.erode(alpha, np.ones((5, 5))), cv2.dilate(alpha, np.ones((5, 5)))
    soft = (alpha > 0) & (alpha < 255)
    assert soft.any()
    assert not (soft & (inner > 0)).any()
    assert not (soft & (outer == 0)).any()


def test_the_same_view_gives_the_same_pixels() -> None:
    first, second = (photograph(TOYS["duck"], 1, 96) for _ in range(2))
    assert np.array_equal(first[0], second[0])
    assert np.array_equal(first[1], second[1])


def test_rendering_that_was_interrupted_resumes_and_other_folders_are_refused(tmp_path: Path) -> None:
    (tmp_path / ".toys").touch()
    (tmp_path / "alpha").mkdir()
    check_toys(tmp_path)

    (tmp_path / ".toys").rename(tmp_path / "..toys.0123456789abcdef.unfinished")
    (tmp_path / "alpha").rmdir()
    check_toys(tmp_path)

    (tmp_path / "alpha").mkdir()
    with pytest.raises(StoreError, match=r"something else \(alpha\)"):
        render_toys(tmp_path)


def test_a_complete_folder_is_left_as_it_is_and_still_counted(toys: Path) -> None:
    file = toys / "concepts" / "duck" / "0.jpg"
    before, done = file.stat().st_mtime_ns, list[int]()
    render_toys(toys, done.append, size=SIZE)
    assert file.stat().st_mtime_ns == before
    assert sum(done) == PICTURES
