"""The wheel has everything that the installed package reads, and nothing else."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from email.message import Message
from email.parser import BytesParser
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("mycanvas", "builder", "dataset_card")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the sources: building a wheel leaves files beside them."""
    folder = tmp_path_factory.mktemp("wheel") / "mycanvas"
    ignore = shutil.ignore_patterns("__pycache__", "*.egg-info")
    for name in PACKAGES:
        shutil.copytree(ROOT / name, folder / name, ignore=ignore)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder)
    return folder


@pytest.fixture(scope="module")
def wheel(source: Path) -> zipfile.ZipFile:
    folder = source.parent
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*command, "--wheel-dir", folder, source], check=True, timeout=300)
    (path,) = folder.glob("*.whl")
    return zipfile.ZipFile(path)


@pytest.fixture(scope="module")
def metadata(wheel: zipfile.ZipFile) -> Message:
    (name,) = (name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
    return BytesParser().parsebytes(wheel.read(name))


def test_every_file_of_the_packages_is_in_it(wheel: zipfile.ZipFile) -> None:
    """Modules, profiles, templates and py.typed alike."""
    files = {
        path.relative_to(ROOT).as_posix()
        for name in PACKAGES
        for path in (ROOT / name).rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }

    assert {name for name in wheel.namelist() if ".dist-info/" not in name} == files
    assert {f"{name}/py.typed" for name in PACKAGES} <= files
    assert any(name.endswith(".toml") for name in files)
    assert any(name.endswith(".jinja") for name in files)


def test_its_metadata_say_who_and_what_it_is(metadata: Message) -> None:
    assert metadata["Author"] == "MyCanvas contributors"
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata["Keywords"]
    assert "Typing :: Typed" in metadata.get_all("Classifier", [])
    assert all(url.split(", ")[1].startswith("https://") for url in metadata.get_all("Project-URL", []))


def test_its_command_is_mycanvas(wheel: zipfile.ZipFile) -> None:
    (name,) = (name for name in wheel.namelist() if name.endswith("entry_points.txt"))

    assert wheel.read(name).decode().split() == ["[console_scripts]", "mycanvas", "=", "builder.cli.entry_point:run"]


def test_editable_install_is_found_beside_the_folder_of_the_clone(source: Path, tmp_path: Path) -> None:
    """As by a script next to the clone, `mycanvas/`, or next to a dataset of that name."""
    build = f"from setuptools import build_meta; build_meta.build_editable({str(tmp_path)!r})"
    subprocess.run([sys.executable, "-c", build], cwd=source, check=True, timeout=300, capture_output=True)
    (editable,) = tmp_path.glob("*.whl")
    zipfile.ZipFile(editable).extractall(tmp_path / "site")
    script = f"""
import importlib.util, site, sys
sys.path.insert(0, {str(source.parent)!r})
site.addsitedir({str(tmp_path / "site")!r})
print(importlib.util.find_spec("mycanvas").origin)
"""

    found = subprocess.run([sys.executable, "-I", "-S", "-c", script], check=True, timeout=60, capture_output=True)

    assert found.stdout.decode().strip() == str(source / "mycanvas" / "__init__.py")


def test_extra_photo_brings_no_torch() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]

    assert extras["photo"] == ["rembg[cpu]"]
    assert set(extras["photo"]) < set(extras["models"])


def test_every_extra_is_one_that_the_code_names() -> None:
    """`dev` is for this repository; `all` combines others."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    code = "\n".join(path.read_text("utf-8") for name in PACKAGES for path in (ROOT / name).rglob("*.py"))
    unused = [name for name in extras if name not in {"all", "dev"} and not re.search(rf'"{name}"', code)]

    assert unused == []
    assert set(re.findall(r"\w+", extras["all"][0].removeprefix("mycanvas"))) <= set(extras)
