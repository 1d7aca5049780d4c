from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest

from builder.cli.main import main
from builder.config import load_config
from builder.pipeline.required_models import backends_with_models, fetch_required_models, list_required, required_models
from mycanvas.errors import ModelError


def test_classic_profile_requires_no_model(capsys: pytest.CaptureFixture[str]) -> None:
    main(["models"])

    assert "runs no models" in capsys.readouterr().out


@pytest.mark.parametrize("profile", ["gen4gen", "modern", "photo"])
def test_every_model_of_a_profile_is_pinned_and_its_size_and_license_are_known(profile: str) -> None:
    config = load_config(None, profile, {"concepts": "photos"})

    for row in list_required(config):
        assert row.gigabytes
        assert row.license
        assert row.revision
        assert row.stage in config.learned()


@pytest.mark.parametrize("profile", ["modern", "photo"])
def test_profile_requires_only_models_that_allow_commercial_use(profile: str) -> None:
    config = load_config(None, profile, {"concepts": "photos"})

    assert all(row.commercial for row in list_required(config))


def test_language_model_behind_a_server_requires_no_local_model() -> None:
    config = load_config(
        None, None, {"concepts": "photos", "layout": {"backend": "llm", "llm": {"base_url": "http://localhost:1/v1"}}}
    )

    assert required_models(config) == ()


def test_all_missing_models_are_reported_together_with_the_command_that_fetches_them(tmp_path: Path) -> None:
    clip = {"encoder": str(tmp_path / "encoder"), "detector": str(tmp_path / "detector")}
    config = load_config(None, None, {"concepts": "photos", "score": {"backend": "clip", "clip": clip}})

    with pytest.raises(ModelError) as error:
        fetch_required_models(config)

    message = str(error.value)
    assert str(tmp_path / "encoder") in message
    assert str(tmp_path / "detector") in message
    assert "Name a folder" in message
    assert "--download" not in message


def test_missing_file_of_a_network_is_reported_with_its_option(tmp_path: Path) -> None:
    segment = {"rembg": {"file": tmp_path / "gone.onnx"}}
    config = load_config(None, "photo", {"concepts": "photos", "segment": segment})

    with pytest.raises(ModelError) as error:
        fetch_required_models(config)

    assert str(error.value).splitlines()[-1].startswith("Correct segment.rembg.file, or remove it")
    assert "Hub" not in str(error.value)


def test_missing_hub_model_is_reported_with_the_command_that_fetches_it() -> None:
    clip = {"encoder": "nobody/encoder", "detector": "nobody/detector"}
    config = load_config(None, None, {"concepts": "photos", "score": {"backend": "clip", "clip": clip}})

    with pytest.raises(ModelError, match="run: mycanvas models --profile classic --download"):
        fetch_required_models(config)


def test_models_of_a_configuration_are_listed_with_their_local_state(
    tiny_model: Callable[[str], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    here, away = tiny_model("clip"), tmp_path / "detector"
    (tmp_path / "build.toml").write_text(
        f'concepts = "photos"\n[score]\nbackend = "clip"\n[score.clip]\nencoder = "{here}"\ndetector = "{away}"\n'
    )

    main(["models", str(tmp_path / "build.toml"), "--json"])

    rows = json.loads(capsys.readouterr().out)
    assert [(row["model"], row["available"]) for row in rows] == [(str(here), True), (str(away), False)]


@pytest.mark.skipif(find_spec("torchvision") is not None, reason="torchvision is installed")
def test_missing_torchvision_is_reported_before_any_work(tiny_model: Callable[[str], Path], tmp_path: Path) -> None:
    folder = shutil.copytree(tiny_model("llava"), tmp_path / "vlm")
    config = load_config(
        None, None, {"concepts": "photos", "caption": {"backend": "vlm", "vlm": {"model": str(folder)}}}
    )
    fetch_required_models(config)
    (folder / "video_preprocessor_config.json").write_text("{}")

    with pytest.raises(ModelError, match="requires torchvision, which is not installed"):
        fetch_required_models(config)


def test_encoder_in_place_of_a_detector_is_refused_before_any_work(tiny_model: Callable[[str], Path]) -> None:
    clip = {"encoder": str(tiny_model("clip")), "detector": str(tiny_model("siglip"))}
    config = load_config(None, None, {"concepts": "photos", "score": {"backend": "clip", "clip": clip}})

    with pytest.raises(ModelError, match=r"score: .*siglip is of type 'siglip'; expected one of owlvit, owlv2"):
        fetch_required_models(config)


def test_published_model_name_holds_its_revision_and_no_local_path(tmp_path: Path) -> None:
    folder, network = str(tmp_path / "my-clip"), str(tmp_path / "net.onnx")
    config = load_config(
        None,
        None,
        {
            "concepts": "photos",
            "segment": {"backend": "rembg", "rembg": {"file": network}},
            "layout": {"backend": "llm", "llm": {"base_url": "http://localhost:1/v1", "model": "my-llm"}},
            "score": {"backend": "clip", "clip": {"encoder": folder, "detector": "google/owlvit@abc"}},
        },
    )

    made_by = backends_with_models(config, {folder: "local-1", network: "2", "google/owlvit@abc": "abc"})

    assert made_by == {
        "segment": "rembg net.onnx@2",
        "layout": "llm my-llm",
        "repaint": "blend",
        "caption": "template",
        "score": "clip my-clip@local-1 google/owlvit@abc",
    }
