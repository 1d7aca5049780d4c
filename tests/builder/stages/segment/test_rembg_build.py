"""Builds that cut out with rembg's networks."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pytest
from onnx import TensorProto, helper
from PIL import Image

import mycanvas  # noqa: F401  (makes the name known)
from builder.cli.main import main
from mycanvas.models import fetch
from tests.builder.stages.segment.bright_objects import bright_photo, changed, disc


@pytest.fixture
def toml(tmp_path: Path, network: Path, grounds: Path) -> Path:
    """A classic build.toml with rembg's cut-outs, for three bright objects and an empty photo."""
    for index, name in enumerate(("ball", "moon", "pill")):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for view in range(2):
            alpha = disc((220, 260), 60 + 8 * index + 4 * view, (125 + 5 * view, 110))
            Image.fromarray(bright_photo(alpha, 230 + 10 * index)).save(tmp_path / "photos" / name / f"{view}.png")
    Image.fromarray(np.full((200, 200, 3), 120, np.uint8)).save(tmp_path / "photos" / "ball" / "wall.png")
    shutil.copy(network, tmp_path / "own.onnx")
    settings = tmp_path / "build.toml"
    settings.write_text(
        f'concepts = "photos"\nbackgrounds = "{grounds}"\noutput = "out"\nsamples = 4\nsizes = [2, 3]\n'
        'resolution = 128\nworkers = 1\n[segment]\nbackend = "rembg"\nmin_quality = 0.5\n'
        f'[segment.rembg]\nmodel = "u2net"\nfile = "{tmp_path / "own.onnx"}"\n'
        "[select]\nduplicate_bits = -1\nmin_visible = 0\nmax_overlap = 1\nmax_border = 1\n"
    )
    return settings


def test_classic_build_with_rembg_makes_a_dataset_and_refuses_other_weights(
    toml: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["build", str(toml)])

    rows = datasets.load_dataset("mycanvas", "all", data_dir=str(toml.parent / "out"), split="train")
    assert len(rows) == 4
    assert f"own.onnx@{fetch(str(toml.parent / 'own.onnx'), 'onnx').revision}" in rows[0]["provenance"]
    sources = datasets.load_dataset("mycanvas", "concepts", data_dir=str(toml.parent / "out"), split="train")
    qualities = {row["id"]: row["quality"] for row in sources}
    assert qualities.pop("ball/wall.png") is None
    assert all(0.5 < quality <= 1 for quality in qualities.values())

    def change_weights(model: Any) -> None:
        model.doc_string = "other weights"

    shutil.move(changed(toml.parent / "own.onnx", toml.parent, change_weights), toml.parent / "own.onnx")
    with pytest.raises(SystemExit):
        main(["build", str(toml)])
    assert "own.onnx" in capsys.readouterr().err


def test_cut_outs_of_another_network_are_not_reused(
    toml: Path, network: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def make_blind(model: Any) -> None:
        model.graph.initializer[0].CopyFrom(helper.make_tensor("k", TensorProto.FLOAT, [1, 3, 1, 1], [0.0] * 3))

    toml.write_text(f'memory = "low"\n{toml.read_text()}')
    shutil.move(changed(network, toml.parent, make_blind), toml.parent / "own.onnx")
    with pytest.raises(SystemExit):
        main(["build", str(toml)])
    assert "no photo gave a cut-out" in capsys.readouterr().err

    shutil.copy(network, toml.parent / "own.onnx")
    main(["build", str(toml)])

    assert len(datasets.load_dataset("mycanvas", "all", data_dir=str(toml.parent / "out"), split="train")) == 4
