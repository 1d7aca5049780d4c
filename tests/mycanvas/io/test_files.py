from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from mycanvas.errors import StoreError
from mycanvas.io.files import atomic, sync_folder, write_text


@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        (errno.ENOSPC, "No space left on device; make room, then run the same command again"),
        (errno.EDQUOT, "Disk quota exceeded; make room, then run the same command again"),
        (errno.EACCES, "Permission denied; choose a place that you may write to"),
        (errno.EROFS, "Read-only file system; choose a place that you may write to"),
        (errno.ENAMETOOLONG, "File name too long; choose a shorter name"),
    ],
)
def test_error_message_has_a_remedy_for_each_errno(tmp_path: Path, number: int, remedy: str) -> None:
    with pytest.raises(StoreError) as failed, atomic(tmp_path / "file"):
        raise OSError(number, os.strerror(number))

    assert str(failed.value) == f"cannot write {tmp_path / 'file'}: {remedy}"
    assert not list(tmp_path.iterdir())


def test_file_in_path_is_not_reported_as_full_disk(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")

    for path in (tmp_path / "file" / "a", tmp_path / "file" / "a" / "b"):
        with pytest.raises(StoreError, match="a part of this path is not a folder; choose another"):
            write_text(path, "text")
    assert (tmp_path / "file").read_text() == "mine"


def test_folder_that_cannot_be_flushed_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=rf"^cannot write {tmp_path}/gone: No such file or directory; "):
        sync_folder(tmp_path / "gone")


def test_file_whose_content_is_there_already_is_not_kept(tmp_path: Path) -> None:
    with atomic(tmp_path / "example", lambda written: tmp_path / str(written.stat().st_size)) as file:
        file.write(b"four")
    with atomic(tmp_path / "example", lambda _: None) as file:
        file.write(b"four")

    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("4", b"four")]


def test_folder_is_not_replaced_by_a_file(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()

    with pytest.raises(StoreError, match="a folder has this name; choose another"):
        write_text(tmp_path / "folder", "text")

    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_read_only_folder_is_reported_as_such(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(StoreError, match="choose a place that you may write to"):
            write_text(tmp_path / "file", "text")
    finally:
        tmp_path.chmod(0o700)
