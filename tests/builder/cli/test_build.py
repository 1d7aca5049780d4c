from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

import pytest
from PIL import Image

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


def test_options_override_the_file_and_those_of_cutouts_are_settings_of_segment(
    shapes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "build.toml").write_text(f'concepts = "{shapes}"\noutput = "out"\nsamples = 300\n')
    main(["build", str(tmp_path / "build.toml"), *SMALL, "--keep-best", "--min-quality", "0.5"])
    config = json.loads((tmp_path / "out" / ".build" / "config.json").read_text())

    assert config["samples"] == 4
    assert config["segment"]["keep_best"] is True
    assert config["segment"]["min_quality"] == 0.5
    assert f"mycanvas inspect {tmp_path / 'out'}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message", "code"),
    [
        ((), "concepts", 2),
        (("--concepts", "photos", "--samples", "0"), "samples: expected a whole number of at least 1, got 0", 2),
        (("--concepts", "photos", "--min-quality", "80"), "segment.min_quality: expected a number of at most 1", 2),
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


@pytest.mark.parametrize("more", [(), ("sizes = [1, 2]",), ('compositions = [["ball"]]',)])
def test_a_build_of_one_concept_warns_unless_it_was_asked_for(
    shapes: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, more: tuple[str, ...]
) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "ball").symlink_to(shapes / "ball")
    (tmp_path / "build.toml").write_text("\n".join(('concepts = "photos"', 'output = "out"', *more)))

    main(["build", str(tmp_path / "build.toml"), *SMALL])

    warned = [message for message in caplog.messages if message.startswith('only the concept "ball" has a photo')]
    assert len(warned) == (0 if more else 1)


def test_photos_that_cannot_be_read_are_counted(
    shapes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(shapes, tmp_path / "photos")
    (tmp_path / "photos" / "ring" / "2.jpg").write_text("no picture")
    output = tmp_path / "out"

    main(["build", "--concepts", str(tmp_path / "photos"), "--output", str(output), *SMALL])
    main(["inspect", str(output)])

    pages = capsys.readouterr().out
    assert pages.count("ring   2 of 3 photos used; not 2.jpg (not a picture") == 2
    assert pages.count("\n12 of 13 photos used\n") == 2


def test_photos_without_an_object_give_one_reason_and_no_advice_that_fails(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "photos" / "wall").mkdir(parents=True)
    for shade in (0, 120, 255):
        Image.new("RGB", (96, 96), (shade, shade, shade)).save(tmp_path / "photos" / "wall" / f"{shade}.png")

    with pytest.raises(SystemExit):
        main(["build", "--concepts", str(tmp_path / "photos"), "--output", str(tmp_path / "out"), *SMALL])

    error = capsys.readouterr().err
    assert 'concept "wall" is left out: none of its photos gave a cut-out (no object found' in caplog.text
    assert "no photo gave a cut-out, for the reasons above" in error
    assert "3 of 3 photos gave no cut-out that can be used; a saliency network finds more objects" in caplog.text
    assert "--keep-best" not in error + caplog.text


@pytest.mark.parametrize(
    "arguments",
    [
        ("build", "--concepts", "photos", "--output", ""),
        ("build", "--concepts", "photos", "--backgrounds", ""),
        ("build", "--concepts", ""),
        ("build", ""),
        ("cutouts", ""),
        ("cutouts", "photos", "--output", ""),
        ("inspect", ""),
        ("export", "data", "--format", "yolo", "--output", ""),
        ("demo", "--toys", ""),
        ("build", "empty.toml"),
    ],
)
def test_an_empty_path_is_not_taken_for_the_current_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty.toml").write_text('concepts = "photos"\noutput = ""\n')

    with pytest.raises(SystemExit) as ended:
        main(arguments)

    assert ended.value.code == 2
    assert 'got ""; the current folder is "."' in capsys.readouterr().err


def test_a_pipe_as_configuration_is_refused_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    os.mkfifo(tmp_path / "build.toml")

    with pytest.raises(SystemExit) as ended:
        main(["build", str(tmp_path / "build.toml")])

    assert ended.value.code == 2
    assert "build.toml is a pipe or a device, not a regular file; expected a TOML file" in capsys.readouterr().err
