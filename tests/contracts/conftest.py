from __future__ import annotations

from pathlib import Path

import pytest

from builder.pipeline.build import build
from tests.contracts.small_builds import config_for


@pytest.fixture(scope="module")
def whole(shapes: Path, grounds: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished small build; a test that changes it copies it first."""
    output = tmp_path_factory.mktemp("whole") / "out"
    build(config_for(shapes, grounds, output))
    return output
