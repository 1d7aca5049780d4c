from __future__ import annotations

from pathlib import Path

import pytest

from builder.cli import main
from builder.export_command import export
from mycanvas.export import FORMATS


@pytest.fixture(scope="module")
def dataset(shapes: Path, grounds: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("export") / "dataset"
    arguments = ["--concepts", shapes, "--backgrounds", grounds, "--output", folder, "--workers", 1]
    main([str(argument) for argument in ["build", *arguments, "--samples", 6, "--resolution", 128]])
    return folder


def test_it_says_what_is_where_and_shows_one_bar(
    dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["export", str(dataset), "--format", "kohya", "--output", str(tmp_path / "out")]

    main(command)
    first = capsys.readouterr()
    main(command)
    second = capsys.readouterr()

    assert f"in {tmp_path / 'out'}\n" in first.out
    assert first.err.rpartition("\r")[2].startswith("exporting kohya: 100%")
    assert second.out == first.out.replace("\n", ", as before\n")
    assert second.err == ""


@pytest.mark.parametrize(("name", "code", "said"), [("cocoo", 2, "did you mean coco?"), ("mds", 1, "mycanvas[mds]")])
def test_what_cannot_be_written_ends_in_one_message(
    dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, code: int, said: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["export", str(dataset), "--format", name, "--output", str(tmp_path / "out")])

    assert ended.value.code == code
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert said in error
    assert not (tmp_path / "out").exists()


def test_help_tells_of_every_format() -> None:
    assert export.help
    listed = [line.split()[0] for line in export.help.partition("\b")[2].partition("\b")[0].strip().splitlines()]
    assert listed == list(FORMATS)
