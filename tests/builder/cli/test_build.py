from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from builder.cli.main import main

SMALL = ("--samples", "4", "--resolution", "128", "--workers", "1")


def test_json_has_the_counts_and_progress_goes_to_stderr(
    shapes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setattr("mycanvas.io.progress.DELAY", 0)
    main(["build", "--concepts", str(shapes), "--output", str(tmp_path / "out"), *SMALL, "--json"])
    printed = capsys.readouterr()
    result = json.loads(printed.out)

    assert result["folder"] == str(tmp_path / "out")
    assert sum(result["funnel"]["planned"].values()) == 4
    assert "100%" in printed.err


def test_options_override_the_file_and_keep_best_is_a_setting_of_segment(
    shapes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "build.toml").write_text(f'concepts = "{shapes}"\noutput = "out"\nsamples = 300\n')
    main(["build", str(tmp_path / "build.toml"), *SMALL, "--keep-best"])
    config = json.loads((tmp_path / "out" / ".build" / "config.json").read_text())

    assert config["samples"] == 4
    assert config["segment"]["keep_best"] is True
    assert f"mycanvas inspect {tmp_path / 'out'}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message", "code"),
    [
        ((), "concepts", 2),
        (("--concepts", "photos", "--samples", "0"), "samples: expected a whole number of at least 1, got 0", 2),
        (("--concepts", "nowhere"), "nowhere", 1),
        (("--concepts", "photos", "--samples", "few"), "'few' is not a valid integer", 2),
    ],
)
def test_wrong_usage_ends_with_2_and_missing_photos_with_1(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    message: str,
    code: int,
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        main(["build", *arguments])
    printed = capsys.readouterr()

    assert ended.value.code == code
    assert message in printed.err
    assert printed.out == ""
