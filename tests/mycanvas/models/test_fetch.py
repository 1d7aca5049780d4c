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
def test_a_name_is_a_repository_with_a_revision_or_a_folder(
    name: str, model: str, revision: str | None, local: bool
) -> None:
    assert split_name(name) == (model, revision)
    assert is_local(name) == local


def test_a_folder_is_taken_as_it_is_and_its_revision_tells_another_content(
    tiny_model: Callable[[str], Path], tmp_path: Path
) -> None:
    folder = shutil.copytree(tiny_model("clip"), tmp_path / "clip")
    before = fetch(str(folder), "transformers")

    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "logit_scale_init_value": 1.0}))

    assert before.path == folder
    assert fetch(str(folder), "transformers").revision != before.revision


def test_weights_that_are_not_safetensors_are_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "pytorch_model.bin").write_bytes(b"\x80\x04")

    with pytest.raises(ModelError, match=r"no \.safetensors files"):
        fetch(str(tmp_path), "transformers")


def test_a_shard_that_the_index_promises_and_that_is_not_there_is_named(tmp_path: Path) -> None:
    index = {"weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    (tmp_path / "model-00001-of-00002.safetensors").write_bytes(b"")

    with pytest.raises(ModelError, match=r"model-00002-of-00002\.safetensors is missing"):
        fetch(str(tmp_path), "transformers")


def test_a_part_of_a_pipeline_without_its_weights_is_named(tiny_model: Callable[[str], Path], tmp_path: Path) -> None:
    folder = shutil.copytree(tiny_model("sdxl"), tmp_path / "sdxl")
    fetch(str(folder), "diffusers")
    next((folder / "unet").glob("*.safetensors")).unlink()

    with pytest.raises(ModelError, match=r"unet/\*\.safetensors is missing"):
        fetch(str(folder), "diffusers")


def test_what_lies_in_the_hubs_cache_is_found_without_a_network(
    tiny_model: Callable[[str], Path], tmp_path: Path
) -> None:
    """In a process of its own: huggingface_hub reads where its cache lies when it is imported."""
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
