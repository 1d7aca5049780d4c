"""Pictures, batches and loading."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from mycanvas.errors import InputError, ModelError
from mycanvas.models import in_batches
from mycanvas.models.checkpoint import as_rgb
from mycanvas.models.detectors import load_detector
from mycanvas.models.encoders import load_encoder


def test_importing_the_metrics_imports_no_model_library() -> None:
    heavy = "{'torch', 'transformers', 'diffusers', 'scipy', 'builder'}"
    code = f"import sys, mycanvas.metrics; sys.exit(bool({heavy} & set(sys.modules)))"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_batches_are_halved_when_memory_runs_out_and_all_results_are_kept() -> None:
    asked: list[int] = []

    def doubled(items: Sequence[int]) -> list[int]:
        asked.append(len(items))
        if len(items) > 3:
            raise torch.OutOfMemoryError("no room")
        return [2 * item for item in items]

    assert list(in_batches(range(10), 8, doubled)) == [2 * item for item in range(10)]
    assert asked == [8, 4, 2, 2, 2, 2, 2]


def test_results_of_a_batch_do_not_wait_for_the_next() -> None:
    asked: list[int] = []

    def same(items: Sequence[int]) -> Sequence[int]:
        asked.extend(items)
        return items

    assert next(in_batches(range(6), 2, same)) == 0
    assert asked == [0, 1]


def test_out_of_memory_on_one_picture_raises_an_error_that_says_what_to_do() -> None:
    def full(_items: Sequence[int]) -> list[int]:
        raise torch.OutOfMemoryError("no room")

    with pytest.raises(ModelError, match="too small for a batch of one; use a smaller model"):
        list(in_batches([1, 2, 3], 2, full))


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "RGB"])
def test_pictures_of_any_mode_become_rgb(mode: str) -> None:
    assert as_rgb(Image.new("RGB", (5, 4), (10, 10, 10)).convert(mode)).shape == (4, 5, 3)


@pytest.mark.parametrize("shape", [(4, 5), (4, 5, 4), (0, 5, 3)])
def test_arrays_that_are_not_rgb_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match=r"a picture is uint8 \[height, width, 3\], got uint8 \[\d"):
        as_rgb(np.zeros(shape, np.uint8))


@pytest.mark.parametrize("load", [load_encoder, load_detector])
def test_folder_without_a_model_raises_an_error(load: Callable[[Path], object], tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=f"the model in {tmp_path} cannot be loaded"):
        load(tmp_path)


def test_error_of_a_model_of_another_type_names_the_supported_types(tiny_model: Callable[[str], Path]) -> None:
    with pytest.raises(ModelError, match=r"type 'owlv2'; encoders are of type clip, siglip"):
        load_encoder(tiny_model("owlv2"))
    with pytest.raises(ModelError, match=r"type 'clip'; detectors are of type owlvit, owlv2, grounding-dino"):
        load_detector(tiny_model("clip"))


def test_loading_prints_nothing(tiny_model: Callable[[str], Path], capfd: pytest.CaptureFixture[str]) -> None:
    folders = [tiny_model("siglip"), tiny_model("owlvit")]
    capfd.readouterr()

    load_encoder(folders[0])
    load_detector(folders[1])

    assert capfd.readouterr() == ("", "")


def torn(folder: Path) -> None:
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:100])


def without_a_layer(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    save_file({name: weights[name] for name in sorted(weights)[1:]}, folder / "model.safetensors", {"format": "pt"})


def without_words(folder: Path) -> None:
    (folder / "tokenizer.json").unlink()


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [(torn, "cannot be loaded"), (without_a_layer, "lacks 1 of its weights"), (without_words, "lacks its tokenizer's")],
)
@pytest.mark.parametrize(("load", "name"), [(load_encoder, "clip"), (load_detector, "owlvit")])
def test_incomplete_model_is_refused(
    load: Callable[[Path], object],
    name: str,
    spoil: Callable[[Path], None],
    reason: str,
    tiny_model: Callable[[str], Path],
    tmp_path: Path,
) -> None:
    folder = shutil.copytree(tiny_model(name), tmp_path / name)
    spoil(folder)

    with pytest.raises(ModelError, match=reason):
        load(folder)
