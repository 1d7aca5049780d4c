"""Fixtures that every test may ask for."""

from __future__ import annotations

from pathlib import Path

import pytest

SHARED_PHOTOS = Path(__file__).resolve().parents[2] / "shared" / "photos"


@pytest.fixture(scope="session")
def toys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The rendered toys: `concepts/<toy>/*.jpg`, and their exact alpha in `alpha/<toy>/*.png`."""
    from builder.demo import render_toys

    folder = tmp_path_factory.mktemp("toys")
    render_toys(folder)
    return folder


@pytest.fixture(scope="session")
def photos(toys: Path) -> Path:
    """A folder of concepts: real photos where this checkout has them beside it, else the toys."""
    return SHARED_PHOTOS / "concepts" if SHARED_PHOTOS.is_dir() else toys / "concepts"
