"""A Hub, a process that publishes on it, and finished builds."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from builder.config import parse_config
from builder.pipeline.build import build
from builder.pipeline.finalize import reselect
from mycanvas.io.checked import read_checked, write_checked
from tests.hub.fake_hub import FakeHub, serve
from tests.publishing import Run, program


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeHub]:
    with serve(tmp_path_factory.mktemp("hub")) as server:
        yield server


@pytest.fixture
def hub(served: FakeHub) -> Iterator[FakeHub]:
    """The Hub of all tests; whatever one of them breaks works again afterwards."""
    yield served
    served.failing.clear()
    served.lost.clear()
    served.before_commit = lambda: None
    served.hold_after = None


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the programs of `run` keep what they fetch."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="session")
def run(served: FakeHub, home: Path) -> Iterator[Run]:
    """The `program` of all tests; logged in as the owner of "me/" unless a test gives another token."""
    with program(served, home) as command_line:
        yield command_line


@pytest.fixture
def name(numbers: Iterator[int]) -> str:
    """A repository for one test."""
    return f"me/scenes-{next(numbers)}"


@pytest.fixture(scope="session")
def numbers() -> Iterator[int]:
    return count()


@pytest.fixture(scope="session")
def finished(shapes: Path, grounds: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished build without a license; nothing is to be written in it."""
    output = tmp_path_factory.mktemp("finished") / "out"
    values = {"concepts": shapes, "backgrounds": grounds, "output": output, "samples": 45, "resolution": 256}
    build(parse_config({**values, "workers": 1, "shard_size": 8}))
    return output


@pytest.fixture
def built(finished: Path, tmp_path: Path) -> Path:
    """A finished build of one's own, whose maker states a license."""
    folder = shutil.copytree(finished, tmp_path / "out")
    config = folder / ".build" / "config.json"
    write_checked(config, {**read_checked(config, dict[str, Any]), "license": "CC-BY-4.0"})
    reselect(folder, {})
    return folder
