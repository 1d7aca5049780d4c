"""A path that is not the folder of a build: the message names the command that works."""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path

import pytest

from builder.cli.main import main
from builder.pipeline.build_folder import BuildFolder
from mycanvas.errors import StoreError


@pytest.fixture
def built(tmp_path: Path) -> Path:
    folder = tmp_path / "out"
    for name in (".build", "data"):
        (folder / name).mkdir(parents=True)
    (folder / ".build" / "build.json").write_text("{}")
    (folder / "data" / "objects_4-00000-of-00001.arrow").touch()
    return folder


def refusal(path: Path) -> str:
    with pytest.raises(StoreError) as refused:
        BuildFolder.open(path)
    return str(refused.value)


@pytest.mark.parametrize("part", ["data", ".build", "data/objects_4-00000-of-00001.arrow"])
def test_part_of_a_dataset_names_the_dataset(
    built: Path, part: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert refusal(built / part).endswith(f" is a part of a dataset; give its folder: {built}")
    monkeypatch.chdir(tmp_path)
    assert refusal(Path("out") / part).endswith("give its folder: out")


def test_folder_beside_a_dataset_is_not_a_part_of_it(built: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (built.parent / "other").mkdir()
    monkeypatch.chdir(built)

    assert refusal(Path("../other")).startswith("../other holds no build; make one with")


def test_folder_of_photos_beside_a_broken_output_is_named(
    shapes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mycanvas_data").symlink_to("mycanvas_data")

    assert "is a folder of photos, not of a build" in refusal(shapes)


def test_folder_around_a_dataset_names_the_dataset(built: Path, tmp_path: Path) -> None:
    assert refusal(tmp_path).endswith(f"holds no build, but out in it does; give that folder: {built}")


@pytest.mark.parametrize("inside", [True, False])
def test_folder_of_photos_gives_a_build_that_is_accepted(
    shapes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, inside: bool
) -> None:
    photos = shutil.copytree(shapes, tmp_path / "my photos")
    monkeypatch.chdir(photos if inside else tmp_path)

    advice = refusal(photos).partition("make one with: mycanvas ")[2]
    main([*shlex.split(advice), "--samples", "2", "--resolution", "128", "--workers", "1"])

    assert (tmp_path / "mycanvas_data" / "README.md").is_file()


def test_empty_folder_may_be_the_output(tmp_path: Path) -> None:
    assert refusal(tmp_path).endswith(
        f"holds no build; make one with: mycanvas build --concepts DIR --output {tmp_path}"
    )


def test_folder_of_other_files_is_not_recommended_as_output(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()

    assert "--output" not in refusal(tmp_path)
