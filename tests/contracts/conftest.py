from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import fsspec
import pytest

from builder.pipeline.build import build
from tests.contracts.decided_builds import config, decided
from tests.contracts.small_builds import config_for

Machine = Callable[[str], None]


@pytest.fixture(scope="module")
def whole(shapes: Path, grounds: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished small build; a test that changes it copies it first."""
    output = tmp_path_factory.mktemp("whole") / "out"
    build(config_for(shapes, grounds, output))
    return output


@pytest.fixture(scope="module")
def undisturbed(shapes: Path, grounds: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `photos` and a finished build `out` of them."""
    folder = tmp_path_factory.mktemp("decided")
    build(config(decided(shapes, folder), grounds, folder / "out"))
    return folder


@pytest.fixture
def copied(undisturbed: Path, tmp_path: Path) -> tuple[Path, Path]:
    """Copies of its photos and of its build."""
    return (
        Path(shutil.copytree(undisturbed / "photos", tmp_path / "photos")),
        Path(shutil.copytree(undisturbed / "out", tmp_path / "out")),
    )


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """Go to the machine of this name, which has a cache of its own; "a" at first."""

    def go(name: str) -> None:
        monkeypatch.setenv("MYCANVAS_CACHE", str(tmp_path / name))

    go("a")
    return go


@pytest.fixture
def url(tmp_path: Path, machine: Machine) -> Iterator[str]:
    """A place in memory, for builds of the machine "a" at first."""
    machine("a")
    yield f"memory://{tmp_path}/out"
    memory = fsspec.filesystem("memory")
    for name in memory.find(str(tmp_path)):
        memory.rm_file(name)
