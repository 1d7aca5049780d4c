"""Names that are not UTF-8 are refused; control characters of names reach no terminal, in any encoding."""

from __future__ import annotations

import io
import logging
import os
import shutil
import sys
from pathlib import Path

import datasets
import pytest

import mycanvas  # noqa: F401  (registers the loader)
from builder import build, load_config
from builder.cli.logs import start_logging
from builder.cli.main import main
from mycanvas.errors import ConfigError, InputError
from mycanvas.export import export

BYTES = os.fsdecode(b"caf\xe9")
"""The name "café" in Latin-1, as a folder from an old disk has it."""
CLEARS = "a\x1b[2J\u202eb"
"""Clears a terminal, and turns the rest of its line around."""


@pytest.mark.parametrize(
    "arguments",
    [
        ["build", "--concepts", BYTES, "--output", "new"],
        ["build", "--concepts", "photos", "--output", BYTES],
        ["build", "--concepts", "photos", "--backgrounds", BYTES, "--output", "new"],
        ["build", f"{BYTES}.toml"],
        ["cutouts", BYTES],
        ["cutouts", "photos", "--output", BYTES],
        ["init", BYTES],
        ["init", "photos", "--config", f"{BYTES}.toml"],
        ["inspect", BYTES],
        ["export", BYTES, "--format", "coco", "--output", "new"],
        ["export", "photos", "--format", "coco", "--output", BYTES],
        ["select", BYTES],
        ["push", BYTES, "jane/scenes", "--dry-run"],
        ["alignment", BYTES],
        ["train", "--model", "./model", "--data", BYTES, "--composition", "a+b", "--output", "new"],
        ["train", "--model", "./model", "--data", "photos", "--composition", "a+b", "--output", BYTES],
        ["generate", "--model", "./model", "--dataset", BYTES, "--output", "new"],
        ["generate", "--model", "./model", "--dataset", "photos", "--output", BYTES],
    ],
)
def test_path_that_is_not_utf8_is_refused_by_name(
    arguments: list[str],
    shapes: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(shapes, "photos")
    shutil.copytree(shapes, BYTES)
    before = sorted(tmp_path.rglob("*"))

    with pytest.raises(SystemExit) as ended:
        main(arguments)

    errors = capsys.readouterr().err
    assert ended.value.code == 2
    assert r"caf\xe9" in errors or r"caf\udce9" in errors
    assert sorted(tmp_path.rglob("*")) == before


def test_python_functions_refuse_paths_that_are_not_utf8(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / BYTES
    folder.mkdir()

    with pytest.raises(ConfigError, match=r"output: the path .*caf\\xe9 is not UTF-8; rename its folder or file"):
        load_config(concepts="photos", output=folder)
    with pytest.raises(ValueError, match=r"caf\\udce9' is not UTF-8.*; rename its folders"):
        datasets.load_dataset("mycanvas", data_dir=str(folder))
    with pytest.raises(InputError, match=r"caf\\udce9' is not UTF-8.*; rename its folders"):
        export(folder, "yolo", tmp_path / "new")
    monkeypatch.chdir(folder)
    with pytest.raises(ConfigError, match=r"caf\\xe9/new is not UTF-8; rename its folders, or give --output"):
        build(load_config(concepts="photos", output="new"))


def test_messages_and_results_are_printed_without_control_characters(
    shapes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(shapes, CLEARS)

    with pytest.raises(SystemExit):
        main(["inspect", f"{CLEARS}/missing"])
    main(["init", CLEARS, "--config", f"{CLEARS}.toml"])
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    start_logging()
    logging.getLogger("mycanvas").warning("%s is left out", CLEARS)

    printed = capsys.readouterr()
    shown = r"a\x1b[2J\u202eb"
    assert f"error: {shown}/missing does not exist" in printed.err
    assert f"wrote {shown}.toml" in printed.out
    assert f"warning: {shown} is left out" in printed.err
    assert not {"\x1b", "\u202e"} & {*printed.err, *printed.out}


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_characters_that_the_output_lacks_are_escaped(
    encoding: str, shapes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(shapes, "фото")
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding))

    main(["init", "фото"])

    sys.stdout.flush()
    assert (
        "фото/concepts.toml".encode("utf-8" if encoding == "ascii" else encoding, "backslashreplace")
        in written.getvalue()
    )
