"""Files of others in or in place of a build are neither read, changed nor deleted."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from builder.pipeline.build import build
from builder.pipeline.finalize import reselect
from mycanvas.errors import StoreError
from tests.contracts.small_builds import but_where, bytes_of, config_for


def test_folder_with_foreign_files_is_left_as_it_is(shapes: Path, grounds: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("do not lose me")

    with pytest.raises(StoreError, match=r"something else \(thesis.tex\)"):
        build(config_for(shapes, grounds, tmp_path))

    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize("name", [".build/.build.json.1764.unfinished", ".build/.notes.unfinished", ".build/notes"])
def test_folder_with_a_foreign_file_in_place_of_a_build_is_refused(
    shapes: Path, grounds: Path, tmp_path: Path, name: str
) -> None:
    (tmp_path / ".build").mkdir()
    (tmp_path / name).write_text("mine")

    with pytest.raises(StoreError, match=f"holds something else \\({name}\\)"):
        build(config_for(shapes, grounds, tmp_path))

    assert (tmp_path / name).read_text() == "mine"


@pytest.mark.parametrize(
    "name",
    [
        "data/.photo.jpg.unfinished",
        ".build/cutouts/.mine.0123456789abcdef.unfinished",
        ".build/shards/mine.arrow",
        ".build/candidates/mine.json",
        ".build/candidates/999.arrow",
        "concepts/mine.arrow",
    ],
)
def test_files_of_others_in_a_build_are_neither_read_nor_changed(
    shapes: Path, grounds: Path, whole: Path, tmp_path: Path, name: str
) -> None:
    output = Path(shutil.copytree(whole, tmp_path / "out"))
    before = but_where(bytes_of(output))
    (output / name).write_text("mine")

    build(config_for(shapes, grounds, output))
    reselect(output, {"min_visible": 0.61})
    reselect(output, {}, reset=True)

    assert (output / name).read_text() == "mine"
    assert {path: digest for path, digest in but_where(bytes_of(output)).items() if path != name} == before


def test_a_foreign_file_with_the_name_of_a_new_shard_is_not_overwritten(
    shapes: Path, grounds: Path, whole: Path, tmp_path: Path
) -> None:
    output = Path(shutil.copytree(whole, tmp_path / "out"))
    (output / ".build" / "selected.json").unlink()
    mine = output / "data" / "objects_4-00000-of-00001.arrow"
    mine.unlink()
    mine.write_text("mine")

    with pytest.raises(StoreError, match="is not a file of this build; move it, then run the same command again"):
        build(config_for(shapes, grounds, output))

    assert mine.read_text() == "mine"


def test_a_link_with_the_name_of_a_shard_is_refused_before_any_shard_is_replaced(whole: Path, tmp_path: Path) -> None:
    output = Path(shutil.copytree(whole, tmp_path / "out"))
    (tmp_path / "mine").write_text("mine")
    foreign = output / "data" / "objects_5-00000-of-00001.arrow"
    foreign.unlink()
    foreign.symlink_to(tmp_path / "mine")
    before = {path: path.read_bytes() for place in ("data", "concepts") for path in (output / place).iterdir()}

    with pytest.raises(StoreError, match=r"objects_5-00000-of-00001\.arrow is not a file of this build; move it"):
        reselect(output, {"per_composition": 1})

    assert {path: path.read_bytes() for path in before} == before
