from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import datasets
import pytest

import mycanvas
from mycanvas.registration import USED_NAMES, register


def run(program: str, folder: Path, **environment: str) -> str:
    """The output of a program in a Python process of its own."""
    own = {"HF_HOME": str(folder / "hf"), "HF_HUB_OFFLINE": "1", "HF_DATASETS_DISABLE_PROGRESS_BARS": "1"}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        cwd=folder,
        env={**os.environ, **own, **environment},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("name", USED_NAMES)
def test_datasets_still_has_the_private_names_that_registration_needs(name: str) -> None:
    found: object = datasets
    for part in name.split("."):
        found = getattr(found, part, None)

    assert found is not None, (
        f"datasets {datasets.__version__} has no {name} any more: find what took its place, change registration.py "
        "for it, and write the new range of versions into WORKS_WITH and pyproject.toml"
    )


def test_a_version_of_datasets_without_them_is_refused_with_the_versions_that_work() -> None:
    newer = ModuleType("datasets")
    vars(newer)["__version__"] = "9.0.0"

    with pytest.raises(ImportError, match=r"which datasets 9\.0\.0 no longer has; it works with datasets 3\.6 to 5\.2"):
        register(newer)


@pytest.mark.parametrize("imports", ["import mycanvas, datasets", "import datasets, mycanvas"])
def test_mycanvas_and_datasets_may_be_imported_in_either_order(built: Path, imports: str) -> None:
    program = f"{imports}; print(datasets.load_dataset('mycanvas')['objects_4'][0]['id'])"

    assert run(program, built.parent, MYCANVAS_DATA=str(built)) == "b0"


def test_importing_mycanvas_loads_none_of_the_heavy_packages(tmp_path: Path) -> None:
    program = "import mycanvas, sys; print({'datasets', 'pyarrow', 'numpy', 'PIL', 'fsspec'} & set(sys.modules))"

    assert run(program, tmp_path) == "set()"


def test_loading_imports_no_package_that_datasets_would_only_patch(built: Path) -> None:
    program = (
        "import mycanvas, datasets, sys; before = set(sys.modules); row = datasets.load_dataset('mycanvas', 'all')"
        "['train'][0]; print(sorted({'scipy', 'scipy.io', 'numpy.f2py'} & (set(sys.modules) - before)))"
    )

    assert run(program, built.parent, MYCANVAS_DATA=str(built)) == "[]"


def test_other_builders_of_datasets_are_left_alone(built: Path) -> None:
    files = [str(path) for path in built.glob("data/objects_4-*")]

    rows = datasets.load_dataset("arrow", data_files=files, split="train")

    assert rows["id"] == ["b0", "b1"]


def test_the_public_names_exist() -> None:
    assert [name for name in mycanvas.__all__ if not hasattr(mycanvas, name)] == []
