"""A folder of two concepts."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.builder.sources.concept_folders import picture


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    """Two concepts, cat2 with two photos and dog6 with one."""
    picture(tmp_path / "cat2" / "b.png", 1)
    picture(tmp_path / "cat2" / "a.JPG", 2)
    picture(tmp_path / "dog6" / "x.webp", 3)
    return tmp_path
