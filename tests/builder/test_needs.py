from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from builder.cli import main
from builder.config import load_config
from builder.errors import ModelError
from builder.needs import fetch_needs, list_needs, needs


def test_the_classic_profile_needs_no_model(capsys: pytest.CaptureFixture[str]) -> None:
    main(["models"])

    assert "runs no models" in capsys.readouterr().out


@pytest.mark.parametrize("profile", ["gen4gen", "modern"])
def test_every_model_of_a_profile_is_pinned_and_its_size_and_licence_are_known(profile: str) -> None:
    config = load_config(None, profile, {"concepts": "photos"})

    for row in list_needs(config):
        assert row.gigabytes
        assert row.licence
        assert row.revision
        assert row.stage in config.learned()


def test_the_modern_profile_may_be_used_commercially() -> None:
    config = load_config(None, "modern", {"concepts": "photos"})

    assert all(row.commercial for row in list_needs(config))


def test_a_server_for_the_language_model_needs_none_here() -> None:
    config = load_config(
        None, None, {"concepts": "photos", "layout": {"backend": "llm", "llm": {"base_url": "http://localhost:1/v1"}}}
    )

    assert needs(config) == ()


def test_all_that_is_missing_is_told_at_once_with_what_to_do(tmp_path: Path) -> None:
    clip = {"encoder": str(tmp_path / "encoder"), "detector": str(tmp_path / "detector")}
    config = load_config(None, None, {"concepts": "photos", "score": {"backend": "clip", "clip": clip}})

    with pytest.raises(ModelError) as error:
        fetch_needs(config)

    message = str(error.value)
    assert str(tmp_path / "encoder") in message
    assert str(tmp_path / "detector") in message
    assert "mycanvas models --profile classic --download" in message


def test_models_of_a_configuration_are_listed_with_what_is_here(
    tiny_model: Callable[[str], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    here, away = tiny_model("clip"), tmp_path / "detector"
    (tmp_path / "build.toml").write_text(
        f'concepts = "photos"\n[score]\nbackend = "clip"\n[score.clip]\nencoder = "{here}"\ndetector = "{away}"\n'
    )

    main(["models", str(tmp_path / "build.toml"), "--json"])

    rows = json.loads(capsys.readouterr().out)
    assert [(row["model"], row["here"]) for row in rows] == [(str(here), True), (str(away), False)]
