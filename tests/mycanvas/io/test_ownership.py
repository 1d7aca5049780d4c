from __future__ import annotations

import errno
import re
from pathlib import Path

import pytest

from mycanvas.errors import StoreError
from mycanvas.io.ownership import check_ownership, locked, locked_folder
from tests.faults import fault

MARKER = ".build/build.json"


def check(folder: Path) -> bool:
    return check_ownership(folder, MARKER, {".build/lock", ".hidden"}.__contains__)


def write(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("")


@pytest.mark.parametrize("names", [[], [".build/lock"], [".hidden", ".build/lock"]])
def test_folder_with_only_our_files_is_accepted(tmp_path: Path, names: list[str]) -> None:
    write(tmp_path, *names)

    assert check(tmp_path) is False


def test_missing_folder_is_accepted_and_not_created(tmp_path: Path) -> None:
    assert check(tmp_path / "new") is False
    assert not (tmp_path / "new").exists()


def test_marker_makes_the_whole_folder_ours(tmp_path: Path) -> None:
    write(tmp_path, MARKER, "notes.txt")

    assert check(tmp_path) is True


def test_folder_in_which_another_process_begins_at_the_same_moment_is_accepted(tmp_path: Path) -> None:
    write(tmp_path, ".build/sources.json")

    def begins(_name: str) -> bool:
        write(tmp_path, MARKER)
        return False

    assert check_ownership(tmp_path, MARKER, begins) is True


@pytest.mark.parametrize(
    ("names", "shown"),
    [
        (["notes.txt", ".build/lock"], "notes.txt"),
        ([".build/lock", ".build/config"], ".build/config"),
        (["lock"], "lock"),
        ([".build/other", "b", "a"], "a, b, .build/other"),
        (["d", "c", "b", "a"], "a, b, c, …"),
        ([".build"], ".build"),
    ],
)
def test_foreign_files_are_named(tmp_path: Path, names: list[str], shown: str) -> None:
    write(tmp_path, *names)
    expected = f"{tmp_path} holds something else ({shown}); give --output a new or empty folder"

    with pytest.raises(StoreError, match=f"^{re.escape(expected)}$"):
        check(tmp_path)


def test_file_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    write(tmp_path, "out")

    with pytest.raises(StoreError, match="out is a file; give --output a folder"):
        check(tmp_path / "out")


def test_broken_link_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").symlink_to(tmp_path / "unmounted")

    with pytest.raises(StoreError, match="out is a symbolic link that leads nowhere; correct it, or give --output"):
        check(tmp_path / "out")


def test_marker_at_the_top_is_compared_with_the_top_only(tmp_path: Path) -> None:
    write(tmp_path, "images/a.png")

    with pytest.raises(StoreError, match=r"holds something else \(images\)"):
        check_ownership(tmp_path, ".marker.json", lambda _: False)
    write(tmp_path, ".marker.json")
    assert check_ownership(tmp_path, ".marker.json", lambda _: False)


def test_a_lock_is_held_once_and_its_file_is_removed(tmp_path: Path) -> None:
    with locked(tmp_path / "lock", tmp_path):
        with (
            pytest.raises(StoreError, match="is in use by another process; wait for it"),
            locked(tmp_path / "lock", tmp_path),
        ):
            pass
        assert (tmp_path / "lock").exists()

    assert not (tmp_path / "lock").exists()


def test_a_lock_that_cannot_be_removed_is_named(tmp_path: Path) -> None:
    with (
        fault(tmp_path / "lock", errno.EIO, "delete"),
        pytest.raises(StoreError, match=rf"^cannot write {tmp_path}/lock: Input/output error; "),
        locked(tmp_path / "lock", tmp_path),
    ):
        pass

    with locked(tmp_path / "lock", tmp_path):
        pass


def test_a_lock_that_a_killed_process_left_is_taken(tmp_path: Path) -> None:
    (tmp_path / "lock").touch()

    with locked(tmp_path / "lock", tmp_path):
        pass


def test_the_lock_of_another_process_in_a_folder_that_was_exchanged_is_kept(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()

    with locked(tmp_path / "out" / "lock", tmp_path / "out"):
        (tmp_path / "out").rename(tmp_path / "moved")
        (tmp_path / "out").mkdir()
        (tmp_path / "out" / "lock").touch()

    assert (tmp_path / "out" / "lock").exists()


def test_a_link_in_place_of_a_lock_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    (tmp_path / "lock").symlink_to(tmp_path / "mine")

    with (
        pytest.raises(StoreError, match="lock is a symbolic link"),
        locked(tmp_path / "lock", tmp_path),
    ):
        pass

    assert (tmp_path / "mine").read_text() == "mine"


def test_a_file_in_place_of_a_lock_is_kept(tmp_path: Path) -> None:
    (tmp_path / "lock").write_text("mine")

    with pytest.raises(StoreError, match="is not the lock of mycanvas"), locked(tmp_path / "lock", tmp_path):
        pass

    assert (tmp_path / "lock").read_text() == "mine"


def test_folder_of_a_refused_command_is_removed_with_its_new_parents(tmp_path: Path) -> None:
    def refuse(folder: Path, written: str) -> None:
        with locked_folder(folder, "lock"):
            if written:
                (folder / written).touch()
            raise StoreError("refused")

    for folder, written in ((tmp_path / "a" / "b", ""), (tmp_path / "kept", "record")):
        with pytest.raises(StoreError, match="refused"):
            refuse(folder, written)

    assert [path.name for path in tmp_path.rglob("*")] == ["kept", "record"]
