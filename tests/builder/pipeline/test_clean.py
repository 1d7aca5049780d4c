"""`mycanvas clean`: frees what nothing needs, and nothing that is needed or that somebody else made."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from builder.cli.main import main
from builder.pipeline.clean import clean
from builder.pipeline.finalize import reselect
from mycanvas.errors import StoreError

TOKEN = "0123456789abcdef"
KEY = TOKEN * 2


@pytest.fixture(scope="module")
def once(shapes: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A build on painted backgrounds."""
    output = tmp_path_factory.mktemp("painted") / "out"
    arguments = ["--concepts", shapes, "--output", output, "--samples", 2, "--resolution", 128, "--workers", 1]
    main(["build", *map(str, arguments)])
    return output


@pytest.fixture
def built(once: Path, tmp_path: Path) -> Path:
    return shutil.copytree(once, tmp_path / "out")


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def write(folder: Path, *names: str) -> list[str]:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"123456789")
    return list(names)


LEFT = (
    f".build/.plan.json.{TOKEN}.unfinished",
    f".build/candidates/.00001.arrow.{TOKEN}.unfinished",
    f".build/cutouts/.{KEY}.mask.png.{TOKEN}.unfinished",
    f"data/.objects_4-00000-of-00001.arrow.{TOKEN}.unfinished",
    f".README.md.{TOKEN}.unfinished",
    f".build/push/{'ab' * 32}.parquet",
    f".build/push/{'ab' * 32}.json",
    f".build/shards/{'ef' * 32}.arrow",
    f".build/cutouts/{KEY}.json",
    f".build/cutouts/{KEY}.cutout.npy",
    f".build/cutouts/{KEY}.colours.npy",
    ".build/backgrounds/garden-977.npy",
)
"""Files that a killed build or push, or a plan that was given up, leaves."""

FOREIGN = (
    f".build/.mine.{TOKEN}.unfinished",
    f".build/cutouts/.mine.png.{TOKEN}.unfinished",
    f"data/.mine.arrow.{TOKEN}.unfinished",
    "photos/.IMG_1.jpg.3.unfinished",
    ".build/push/notes.txt",
    ".build/push/model.parquet",
    ".build/shards/mine.arrow",
    ".build/.plan.json.mine.unfinished",
    ".build/cutouts/mine.png",
    ".build/backgrounds/garden.npy",
    "data/objects_4-mine-of-three.arrow",
    "thesis.tex",
)


def test_files_that_nothing_needs_are_listed_and_with_yes_deleted(
    built: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    needed = bytes_of(built)
    write(built, *LEFT)

    main(["clean", str(built)])
    listed = capsys.readouterr().out
    assert len(bytes_of(built)) == len(needed) + len(LEFT)
    main(["clean", str(built), "--yes", "--json"])
    deleted = json.loads(capsys.readouterr().out)

    assert "0.1 kB to free; add --yes to delete these files" in listed
    assert {str(Path(name).relative_to(built)) for files in deleted["files"].values() for name in files} == set(LEFT)
    assert bytes_of(built) == needed
    assert not (built / ".build" / "push").exists()
    main(["clean", str(built)])
    assert "nothing to free in" in capsys.readouterr().out


def test_decisions_are_kept_and_one_that_may_still_be_written_is_not_unfinished(built: Path) -> None:
    decision = f".build/reviews/{'ab' * 32}.json"
    left, written = write(built, f".build/reviews/.{'ab' * 32}.json.{TOKEN}.unfinished", decision)
    assert clean(built, delete=True).files == {}
    reselect(built, {})
    assert (built / left).is_file()

    an_hour_ago = time.time() - 3700
    os.utime(built / left, (an_hour_ago, an_hour_ago))
    found = clean(built, delete=True).files

    assert list(found["unfinished"]) == [built / left]
    assert (built / written).is_file()


def test_foreign_files_are_neither_listed_nor_deleted(built: Path) -> None:
    write(built, *FOREIGN)
    before = bytes_of(built)

    assert clean(built, delete=True).files == {}
    assert bytes_of(built) == before


@pytest.mark.parametrize(
    ("place", "name"),
    [
        ("data", ".objects_4-00000-of-00001.arrow"),
        (".build/cutouts", f".{KEY}.mask.png"),
        (".build/replies", f"0f/.{KEY}.json"),
    ],
)
def test_unfinished_files_behind_a_linked_folder_are_kept(built: Path, tmp_path: Path, place: str, name: str) -> None:
    (left,) = write(tmp_path / "elsewhere", f"{name}.{TOKEN}.unfinished")
    shutil.rmtree(built / place, ignore_errors=True)
    (built / place).symlink_to(tmp_path / "elsewhere")

    assert "unfinished" not in clean(built, delete=True).files
    assert (tmp_path / "elsewhere" / left).is_file()


@pytest.mark.parametrize("link", ["a folder", "a file"])
def test_symbolic_links_are_not_followed(built: Path, tmp_path: Path, link: str) -> None:
    name = f"{'ab' * 32}.parquet"
    write(tmp_path / "elsewhere", name)
    push = built / ".build" / "push"
    if link == "a folder":
        push.symlink_to(tmp_path / "elsewhere")
    else:
        push.mkdir()
        (push / name).symlink_to(tmp_path / "elsewhere" / name)

    assert clean(built, delete=True).files == {}
    assert (tmp_path / "elsewhere" / name).is_file()
    assert (push / name).is_file()


def test_cleaned_build_resumes_and_selects_again_without_making_anything(built: Path, shapes: Path) -> None:
    write(built, *LEFT)
    clean(built, delete=True)
    made = {path: path.stat().st_mtime_ns for place in ("cutouts", "candidates", "backgrounds")
            for path in (built / ".build" / place).iterdir()}  # fmt: skip

    arguments = ["--concepts", shapes, "--output", built, "--samples", 2, "--resolution", 128, "--workers", 1]
    main(["build", *map(str, arguments)])
    reselect(built, {"min_visible": 0.1})

    assert {path: path.stat().st_mtime_ns for path in made} == made


def test_before_there_is_a_plan_cut_outs_are_kept(built: Path) -> None:
    (built / ".build" / "plan.json").unlink()
    write(built, f".build/cutouts/{KEY}.json", ".build/backgrounds/garden-977.npy")

    assert clean(built, delete=True).files == {}


def test_a_folder_in_use_is_left_alone(built: Path) -> None:
    write(built, *LEFT)
    with (built / ".build" / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)

        with pytest.raises(StoreError, match="is in use by another process"):
            clean(built, delete=True)
    assert clean(built).files


@pytest.mark.parametrize("folder", ["no_such_folder", "photos"])
def test_a_folder_without_a_build_is_refused(
    tmp_path: Path, folder: str, capsys: pytest.CaptureFixture[str], shapes: Path
) -> None:
    shutil.copytree(shapes, tmp_path / "photos")
    before = bytes_of(tmp_path)

    with pytest.raises(SystemExit):
        main(["clean", str(tmp_path / folder), "--yes"])

    assert "error: " in capsys.readouterr().err
    assert bytes_of(tmp_path) == before


def test_lock_that_is_a_link_is_not_followed(built: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    (built / ".build" / "lock").symlink_to(tmp_path / "mine")

    with pytest.raises(StoreError, match="lock"):
        clean(built, delete=True)
    assert (tmp_path / "mine").read_text() == "mine"


def test_the_painted_backgrounds_of_the_plan_are_kept(built: Path, build_shapes: Callable[[int, int], Path]) -> None:
    assert list((built / ".build" / "backgrounds").glob("*.npy"))
    assert clean(built).files == {}
    assert clean(build_shapes(4, 128)).files == {}
