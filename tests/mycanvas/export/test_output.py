"""An export is whole or not there, whatever happens while it is written."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mycanvas.errors import StoreError
from mycanvas.export import FORMATS, export
from mycanvas.export.output import LOCK, MARKER, STAGING, read_identity, write_export
from mycanvas.io.ownership import locked
from tests.faults import Operation, watched

IDENTITY = {"format": "test", "dataset": "1", "mycanvas": "0"}
FILES = {"images/a/a.jpg": "a", "images/b.jpg": "bb", "masks/b.png": "b", "list.json": "[]", "part-0.tar": "0"}

KILLED_ANYWHERE = """
import json, os, signal, sys
from pathlib import Path
from tests.mycanvas.export.test_output import IDENTITY, write
from mycanvas.export.output import write_export

def dies_at(last, output):
    calls = 0
    def count(event, _):
        nonlocal calls
        if event in {"open", "os.rename", "os.mkdir", "os.remove", "os.rmdir"}:
            calls += 1
            if calls == last:
                os.kill(os.getpid(), signal.SIGKILL)
    sys.addaudithook(count)
    write_export(output, IDENTITY, write)

for last in range(1, 1000):
    output = Path(sys.argv[1], str(last))
    child = os.fork()
    if not child:
        dies_at(last, output)
        os._exit(0)
    if os.waitpid(child, 0)[1] == 0:
        break
print(last - 1)
"""
"""Runs an export once for each of its calls of the file system, and kills it there; prints how many those are."""


def write(folder: Path) -> None:
    for name, content in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)


def visible(folder: Path) -> dict[str, str]:
    """The files that readers see: none whose name, or whose folder's, begins with a dot."""
    files = (path for path in folder.rglob("*") if path.is_file())
    names = {path.relative_to(folder).as_posix(): path for path in files}
    return {name: path.read_text() for name, path in names.items() if not name.startswith(".")}


def state(folder: Path) -> dict[str, object]:
    marker = folder / MARKER
    return dict(json.loads(marker.read_text())) if marker.exists() else {}


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Outputs of exports that were killed, each at another call."""
    root = tmp_path_factory.mktemp("killed")
    command = [sys.executable, "-c", KILLED_ANYWHERE, str(root)]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    calls = int(done.stdout)
    assert calls > 20
    return [root / str(number) for number in range(1, calls + 1)]


def test_a_killed_export_does_not_look_finished(killed: list[Path]) -> None:
    for folder in killed:
        marked = state(folder)
        if marked.get("finished"):
            assert visible(folder) == FILES
        elif "files" not in marked:
            assert visible(folder) == {}
        else:  # killed within the moving: what is in place is whole, and index files come after folders
            found = visible(folder)
            assert found.items() <= FILES.items()
            assert "list.json" not in found or {name for name in FILES if "/" in name} <= set(found)


def test_the_same_command_finishes_a_killed_export(killed: list[Path]) -> None:
    moved = 0
    for folder in killed:
        before = state(folder)
        written = write_export(folder, IDENTITY, write)
        assert written is not bool(before.get("finished"))
        moved += "files" in before and not before["finished"]
        assert visible(folder) == FILES
        assert sorted(path.name for path in folder.iterdir() if path.name.startswith(".")) == [MARKER]
        assert state(folder)["finished"]
    assert moved > 3


@pytest.mark.parametrize("name", sorted(set(FORMATS) - {"mds", "layers"}))
def test_a_second_export_into_the_same_folder_is_refused(dataset: Path, out: Path, name: str) -> None:
    out.mkdir()
    with locked(out / LOCK, out), pytest.raises(StoreError, match="out is in use by another process; wait for it"):
        export(dataset, name, out)

    assert list(out.iterdir()) == []
    assert export(dataset, name, out).written


@pytest.mark.parametrize("other", [IDENTITY, {**IDENTITY, "format": "other"}])
def test_a_second_export_does_not_disturb_the_first(out: Path, other: dict[str, str]) -> None:
    def write_while_another_tries(folder: Path) -> None:
        write(folder)
        with pytest.raises(StoreError, match="in use by another process"):
            write_export(out, other, write)

    assert write_export(out, IDENTITY, write_while_another_tries)
    assert visible(out) == FILES
    assert not write_export(out, IDENTITY, write)


def failing(error: BaseException) -> Callable[[Path], None]:
    def fail(folder: Path) -> None:
        write(folder)
        raise error

    return fail


@pytest.mark.parametrize("error", [KeyboardInterrupt(), StoreError("full"), ZeroDivisionError()])
def test_a_failed_export_leaves_nothing(out: Path, error: BaseException) -> None:
    with pytest.raises(type(error)):
        write_export(out, IDENTITY, failing(error))
    assert not out.exists()

    out.mkdir()
    with pytest.raises(type(error)):
        write_export(out, IDENTITY, failing(error))
    assert list(out.iterdir()) == []


@pytest.mark.parametrize("time", [1, 2])
def test_an_export_whose_marker_cannot_be_written_leaves_nothing(out: Path, time: int) -> None:
    names: list[Path] = []

    def fail(operation: Operation, path: Path) -> None:
        if operation == "rename" and path == out / MARKER:
            names.append(path)
            if len(names) == time:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    with watched(fail), pytest.raises(StoreError, match="No space left on device"):
        write_export(out, IDENTITY, write)

    assert not out.exists()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda out: (out / "list.json").unlink(), "list.json is missing"),
        (lambda out: (out / "images/b.jpg").write_text("b"), "images/b.jpg has 1 bytes, expected 2"),
        (lambda out: shutil.rmtree(out / "images"), "images/a/a.jpg is missing, and 1 more of 5 files were removed"),
        (lambda out: (out / "part-0.tar").write_text(""), "part-0.tar has 0 bytes, expected 1"),
    ],
)
def test_a_finished_export_whose_files_changed_is_refused(
    out: Path, change: Callable[[Path], object], said: str
) -> None:
    write_export(out, IDENTITY, write)
    change(out)
    before = visible(out)

    with pytest.raises(StoreError, match=f"out is not as it was exported: {said}.*; remove the folder, or give"):
        write_export(out, IDENTITY, write)
    assert visible(out) == before


def test_files_that_a_trainer_adds_do_not_matter(out: Path) -> None:
    write_export(out, IDENTITY, write)
    (out / "class_images").mkdir()
    (out / "class_images/0.jpg").write_text("generated")

    assert not write_export(out, IDENTITY, write)


def test_a_file_that_appears_meanwhile_is_not_replaced(out: Path) -> None:
    def write_beside(folder: Path) -> None:
        write(folder)
        (out / "list.json").write_text("mine")

    with pytest.raises(StoreError, match=r"list\.json is in the way; move it, then run the same command again"):
        write_export(out, IDENTITY, write_beside)
    assert visible(out) == {"list.json": "mine"}

    (out / "list.json").unlink()
    assert write_export(out, IDENTITY, failing(AssertionError("it was written already")))
    assert visible(out) == FILES


@pytest.mark.parametrize("name", [LOCK, STAGING])
def test_links_in_place_of_our_files_are_not_followed(out: Path, tmp_path: Path, name: str) -> None:
    out.mkdir()
    (out / MARKER).write_text(json.dumps({**IDENTITY, "finished": False}))
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/photo.jpg").write_text("mine")
    (out / name).symlink_to(tmp_path / "mine" / ("photo.jpg" if name == LOCK else ""))

    with pytest.raises(StoreError, match=r"cannot write|is a symbolic link"):
        write_export(out, IDENTITY, write)

    assert (tmp_path / "mine/photo.jpg").read_text() == "mine"


@pytest.mark.parametrize("content", ["", "[1]", '{"files": [1]}', '{"files": {"a": "b"}}', "[" * 100_000])
def test_a_damaged_marker_is_named(out: Path, content: str) -> None:
    out.mkdir()
    (out / MARKER).write_text(content)

    with pytest.raises(StoreError, match=rf"{MARKER}.*; give --output a new or empty folder"):
        write_export(out, IDENTITY, write)
    assert (out / MARKER).read_text() == content


@pytest.mark.parametrize("name", ["a\0b", "\ud800", "x" * 5000, "\n error: none"])
def test_a_marker_with_a_name_that_no_file_can_have_names_a_missing_file(out: Path, name: str) -> None:
    write_export(out, IDENTITY, write)
    marker = json.loads((out / MARKER).read_text())
    (out / MARKER).write_text(json.dumps({**marker, "files": {name: 1}}))

    for use in (lambda: read_identity(out), lambda: write_export(out, IDENTITY, write)):
        with pytest.raises(StoreError, match=r"is not as it was exported: .* is missing") as refused:
            use()
        assert "\n" not in str(refused.value)
