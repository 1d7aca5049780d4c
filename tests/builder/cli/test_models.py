from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from builder.cli.main import main


def test_profile_without_models_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    main(["models"])

    assert capsys.readouterr().out == "This configuration runs no models on this machine: nothing to download.\n"


def test_table_and_json_list_the_same_models(
    tiny_model: Callable[[str], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config, encoder = tmp_path / "build.toml", tiny_model("clip")
    config.write_text(
        f'concepts = "photos"\n[score]\nbackend = "clip"\n[score.clip]\nencoder = "{encoder}"\ndetector = "./away"\n'
    )
    capsys.readouterr()
    main(["models", str(config)])
    head, first, second, empty, total = capsys.readouterr().out.splitlines()
    main(["models", str(config), "--json"])
    listed = json.loads(capsys.readouterr().out)

    assert head.split() == ["stage", "model", "revision", "GB", "license", "available"]
    assert [row["model"] for row in listed] == [first.split()[1], second.split()[1]]
    assert [row["available"] for row in listed] == [True, False]
    assert first.index("yes") == second.index("no") == head.index("available")
    assert empty == ""
    assert total.startswith("1 of 2 are not on this machine")


def test_download_of_a_missing_folder_is_an_error(
    tiny_model: Callable[[str], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "build.toml"
    config.write_text(
        f'concepts = "photos"\n[score]\nbackend = "clip"\n'
        f'[score.clip]\nencoder = "{tiny_model("clip")}"\ndetector = "./away"\n'
    )
    with pytest.raises(SystemExit) as ended:
        main(["models", str(config), "--download"])

    assert ended.value.code == 1
    assert "away" in capsys.readouterr().err
