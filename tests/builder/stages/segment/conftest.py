"""Files of a tiny saliency network."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.builder.stages.segment.bright_objects import TinyModel


@pytest.fixture
def home(tiny_model: TinyModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Rembg's folder with one session in it."""
    for name in ("U2NET_HOME", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MODEL_CHECKSUM_DISABLED", "1")  # the file is a tiny network
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("REMBG_HOME", str(tmp_path / "rembg"))
    folder = tmp_path / "rembg" / "models" / "isnet-general-use"
    folder.mkdir(parents=True)
    shutil.copy(tiny_model("saliency"), folder / "isnet-general-use.onnx")
    return tmp_path / "rembg"


@pytest.fixture
def network(tiny_model: TinyModel, tmp_path: Path) -> Path:
    """An ONNX file whose map is the photo's brightness."""
    return shutil.copy(tiny_model("saliency"), tmp_path / "tiny.onnx")
