from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mycanvas.errors import ModelError
from mycanvas.models import fetch, is_local, split_name

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.mark.parametrize(
    ("name", "model", "revision", "local"),
    [
        ("owner/model", "owner/model", None, False),
        (f"owner/model@{COMMIT}", "owner/model", COMMIT, False),
        ("./models/mine", "./models/mine", None, True),
        ("/data/mine", "/data/mine", None, True),
    ],
)
def test_name_is_a_repository_with_a_revision_or_a_folder(
    name: str, model: str, revision: str | None, local: bool
) -> None:
    assert split_name(name) == (model, revision)
    assert is_local(name) == local


def test_revision_of_a_folder_changes_with_its_content(tiny_model: Callable[[str], Path], tmp_path: Path) -> None:
    folder = shutil.copytree(tiny_model("clip"), tmp_path / "clip")
    before = fetch(str(folder), "transformers")

    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "logit_scale_init_value": 1.0}))

    assert before.path == folder
    assert fetch(str(folder), "transformers").revision != before.revision


def test_weights_other_than_safetensors_are_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "pytorch_model.bin").write_bytes(b"\x80\x04")

    with pytest.raises(ModelError, match=r"no \.safetensors files"):
        fetch(str(tmp_path), "transformers")


def test_checkpoint_in_one_file_is_refused_with_how_to_convert_it(tmp_path: Path) -> None:
    file = tmp_path / "model.safetensors"
    file.touch()

    with pytest.raises(ModelError, match=r"model.safetensors is a file; .* from_single_file\(FILE\).save_pretrained"):
        fetch(str(file), "diffusers")


def test_missing_shard_of_the_index_is_named(tmp_path: Path) -> None:
    index = {"weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    (tmp_path / "model-00001-of-00002.safetensors").write_bytes(b"")

    with pytest.raises(ModelError, match=r"model-00002-of-00002\.safetensors is missing"):
        fetch(str(tmp_path), "transformers")


def test_pipeline_part_without_weights_is_named(tiny_model: Callable[[str], Path], tmp_path: Path) -> None:
    folder = shutil.copytree(tiny_model("sdxl"), tmp_path / "sdxl")
    fetch(str(folder), "diffusers")
    next((folder / "unet").glob("*.safetensors")).unlink()

    with pytest.raises(ModelError, match=r"unet/\*\.safetensors is missing"):
        fetch(str(folder), "diffusers")


def test_model_in_the_hub_cache_is_found_offline(tiny_model: Callable[[str], Path], tmp_path: Path) -> None:
    """In a process of its own: huggingface_hub reads the path of its cache when it is imported."""
    shutil.copytree(tiny_model("clip"), tmp_path / "hub" / "models--owner--clip" / "snapshots" / COMMIT)
    ask = (
        "import sys; from mycanvas.models import fetch\n"
        f"print(fetch('owner/clip@{COMMIT}', 'transformers', offline=True).revision)\n"
        "fetch('owner/other', 'transformers', offline=True)"
    )

    done = subprocess.run(
        [sys.executable, "-c", ask], env={**os.environ, "HF_HOME": str(tmp_path)}, capture_output=True, text=True
    )

    assert done.stdout.strip() == COMMIT
    assert "ModelError: owner/other is not on this machine" in done.stderr


def test_weights_of_equal_size_and_other_content_have_another_revision(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(bytes(20 << 20))
    before = fetch(str(tmp_path), "transformers").revision
    (tmp_path / "model.safetensors").write_bytes(b"\1" * (20 << 20))

    assert fetch(str(tmp_path), "transformers").revision != before


@pytest.mark.parametrize(
    ("saved", "expected", "missing"),
    [("fp16", None, r"/\*\.safetensors is missing"), (None, "fp16", r"\*\.fp16\*\.safetensors is missing")],
)
def test_weights_of_another_variant_are_not_accepted(
    saved: str | None, expected: str | None, missing: str, tiny_model: Callable[[str], Path], tmp_path: Path
) -> None:
    folder = shutil.copytree(tiny_model("sdxl"), tmp_path / "sdxl")
    for file in folder.rglob("*.safetensors") if saved else ():
        file.rename(file.with_suffix(f".{saved}.safetensors"))
    fetch(str(folder), "diffusers", variant=saved)

    with pytest.raises(ModelError, match=missing):
        fetch(str(folder), "diffusers", variant=expected)


def test_plain_weights_are_used_for_parts_without_the_variant(
    tiny_model: Callable[[str], Path], tmp_path: Path
) -> None:
    folder = shutil.copytree(tiny_model("sdxl"), tmp_path / "sdxl")
    (weights,) = (folder / "unet").glob("*.safetensors")
    weights.rename(weights.with_suffix(".fp16.safetensors"))

    assert fetch(str(folder), "diffusers", variant="fp16").path == folder


@pytest.mark.parametrize("content", ["{", "[]", '{"a": 1}', '{"weight_map": []}'])
def test_unreadable_index_is_an_error(content: str, tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"")
    (tmp_path / "model.safetensors.index.json").write_text(content)

    with pytest.raises(ModelError, match=r"an index in .* cannot be read"):
        fetch(str(tmp_path), "transformers")


def test_index_of_weights_that_are_not_loaded_is_ignored(tiny_model: Callable[[str], Path], tmp_path: Path) -> None:
    """Settings are downloaded with either set of weights: Stable Diffusion 3's fp16 brings the plain ones' index."""
    folder = shutil.copytree(tiny_model("sdxl"), tmp_path / "sdxl")
    (weights,) = (folder / "unet").glob("*.safetensors")
    shutil.copy(weights, weights.with_suffix(".fp16.safetensors"))
    index = json.dumps({"weight_map": {"a": "away.safetensors"}})
    (folder / "unet" / "diffusion_pytorch_model.safetensors.index.json").write_text(index)

    assert fetch(str(folder), "diffusers", variant="fp16").path == folder
    with pytest.raises(ModelError, match=r"unet/away\.safetensors is missing"):
        fetch(str(folder), "diffusers")


def test_error_points_to_a_folder_with_the_name_of_the_repository(tmp_path: Path) -> None:
    """In a process of its own, with a Hub that does not answer: huggingface_hub reads its address when imported."""
    (tmp_path / "models" / "clip").mkdir(parents=True)
    ask = "import sys; from mycanvas.models import fetch\nfetch(sys.argv[1], 'transformers')"
    nowhere = {"HF_HOME": str(tmp_path), "HF_ENDPOINT": "http://127.0.0.1:9", "PYTHONPATH": str(Path.cwd())}

    errors = [
        subprocess.run(
            [sys.executable, "-c", ask, name],
            env={**os.environ, **nowhere},
            cwd=tmp_path,
            capture_output=True,
            text=True,
        ).stderr
        for name in ("models/clip", "models/other")
    ]

    assert errors[0].endswith("; a folder here has this name: to use it, write ./models/clip\n")
    assert "ModelError: cannot download models/other: the Hub cannot be reached" in errors[1]
    assert "./models" not in errors[1]
