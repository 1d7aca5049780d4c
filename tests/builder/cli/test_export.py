from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from builder.cli.export import export
from builder.cli.main import main
from mycanvas.export import FORMATS


@pytest.fixture(scope="module")
def dataset(build_shapes: Callable[[int, int], Path]) -> Path:
    return build_shapes(6, 128)


def test_result_is_printed_after_one_progress_bar(
    dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setattr("mycanvas.io.progress.DELAY", 0)
    command = ["export", str(dataset), "--format", "kohya", "--output", str(tmp_path / "out")]

    main(command)
    first = capsys.readouterr()
    main(command)
    second = capsys.readouterr()

    assert f"in {tmp_path / 'out'}\n" in first.out
    assert first.err.rpartition("\r")[2].startswith("exporting kohya: 100%")
    assert second.out == first.out.replace("\n", ", as before\n", 1)
    assert "Start the training: sh train.sh MODEL SD_SCRIPTS\n" in first.out
    assert second.err == ""


@pytest.mark.parametrize(("name", "code", "message"), [("COCO", 2, "did you mean coco?"), ("mds", 1, "mycanvas[mds]")])
def test_unknown_format_and_missing_package_end_with_one_message(
    dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, code: int, message: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["export", str(dataset), "--format", name, "--output", str(tmp_path / "out")])

    assert ended.value.code == code
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert message in error
    assert not (tmp_path / "out").exists()


def failed(capsys: pytest.CaptureFixture[str], *command: object) -> str:
    with pytest.raises(SystemExit) as ended:
        main(["export", *map(str, command)])
    assert ended.value.code == 1
    return capsys.readouterr().err


def test_damaged_and_missing_shards_are_errors(
    dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = shutil.copytree(dataset, tmp_path / "dataset")
    command = (folder, "--format", "webdataset", "--output", tmp_path / "out")
    shard = folder / "data/objects_4-00000-of-00001.arrow"
    content = bytearray(shard.read_bytes())
    content[len(content) // 2] ^= 1

    shard.write_bytes(content)
    assert f"{shard} is damaged; restore it with: mycanvas select {folder}" in failed(capsys, *command)
    shard.unlink()
    assert f"{shard} is missing; restore it with: mycanvas select {folder}" in failed(capsys, *command)
    assert not (tmp_path / "out").exists()

    shutil.rmtree(folder / ".build")
    main(["export", *map(str, command)])
    assert "objects_4" not in capsys.readouterr().out


def test_dataset_on_the_hub_must_be_downloaded_first(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    message = failed(capsys, "hf://datasets/jane/scenes", "--format", "yolo", "--output", tmp_path / "out")

    assert "fetch it with: hf download jane/scenes --repo-type dataset --local-dir DIR" in message


def test_help_lists_every_format() -> None:
    assert export.help
    listed = re.findall(r"^ *([a-z0-9-]+)  ", export.help, re.MULTILINE)
    assert sorted(listed) == list(FORMATS)


def test_options_reach_the_export(dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ("--source", "photos", "--triggers", "words", "--seed", "7")

    main(["export", str(dataset), "--format", "musubi", "--output", str(tmp_path / "out"), *options])

    printed = capsys.readouterr().out
    assert f"source photos in {tmp_path / 'out'}\n" in printed
    assert re.search(r"Pictures: \d+ photos\.", printed)
    assert "<" not in next((tmp_path / "out/photos").glob("*.txt")).read_text()


@pytest.mark.parametrize(
    ("option", "values"),
    [
        ("--concept", ("square1", "disc1")),
        ("--source", ("photos", "both")),
        ("--output", ("out", "other")),
        ("--seed", ("1", "1")),
    ],
)
def test_an_option_given_twice_is_refused(
    dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], option: str, values: tuple[str, str]
) -> None:
    twice = [word for value in values for word in (option, value)]
    command = ["export", str(dataset), "--format", "kohya"]
    if option != "--output":
        command += ["--output", str(tmp_path / "out")]

    with pytest.raises(SystemExit) as ended:
        main([*command, *twice])

    assert ended.value.code == 2
    assert f"give {option} once; it was given 2 times" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
