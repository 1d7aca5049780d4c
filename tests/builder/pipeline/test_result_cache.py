"""The cache of results: bounded, shared by processes, and never a reason for a build to fail."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from builder.pipeline.result_cache import (
    MATTE,
    PREPARED,
    Result,
    ResultCache,
    cache_files,
    cache_folder,
    cache_size,
)
from tests.faults import fault

KEYS = [f"{number:064x}" for number in range(4)]
TOKEN = "0123456789abcdef"


RESULT = Result(facts={"quality": 0.5}, files={"photo.jpg": b"\x00\n" * 99, "mask.png": b"", "cutout.npy": b"rgba"})


def filled(folder: Path, keys: Sequence[str] = KEYS) -> ResultCache:
    """A cache whose entries were last used in the order of the keys."""
    cache = ResultCache(folder)
    for hour, key in enumerate(keys):
        cache.put(key, PREPARED, RESULT)
        os.utime(folder / f"{key}.prepared", (3600 * hour, 3600 * hour))
    return cache


def kept(cache: ResultCache) -> set[str]:
    return {path.stem for path in cache.folder.iterdir()}


def test_least_recently_used_entries_go_first(tmp_path: Path) -> None:
    cache = filled(tmp_path)
    size = max(file.size for file in cache_files(tmp_path))

    cache.trim(10 * size)
    assert kept(cache) == set(KEYS)
    assert cache.get(KEYS[0], PREPARED)
    cache.trim(2 * size)
    assert kept(cache) == {KEYS[0], KEYS[3]}
    cache.trim(0)
    assert kept(cache) == set()
    assert cache.problem is None


def test_result_is_read_as_it_was_written(tmp_path: Path) -> None:
    cache = ResultCache(tmp_path)
    cache.put(KEYS[0], PREPARED, RESULT)

    assert cache.get(KEYS[0], PREPARED) == RESULT
    assert cache.get(KEYS[0], MATTE) is None
    assert cache.get(KEYS[1], PREPARED) is None


def test_mattes_stay_longer_than_other_entries(tmp_path: Path) -> None:
    cache = filled(tmp_path, KEYS[:2])
    cache.put(KEYS[2], MATTE, RESULT)
    os.utime(tmp_path / f"{KEYS[2]}.matte", (0, 0))

    cache.trim((tmp_path / f"{KEYS[2]}.matte").stat().st_size)

    assert [path.name for path in tmp_path.iterdir()] == [f"{KEYS[2]}.matte"]


@pytest.mark.parametrize("change", ["empty", "cut", "longer", "header", "content", "no line"])
def test_damaged_entry_is_missing(tmp_path: Path, change: str) -> None:
    cache = filled(tmp_path, KEYS[:1])
    file = tmp_path / f"{KEYS[0]}.prepared"
    before = file.read_bytes()
    header, _, content = before.partition(b"\n")
    changes = {
        "empty": b"",
        "cut": before[:-1],
        "longer": before + b"a",
        "header": header.replace(b"0.5", b"0.6") + b"\n" + content,
        "content": before[:-4] + b"RGBA",
        "no line": header,
    }
    file.write_bytes(changes[change])

    assert cache.get(KEYS[0], PREPARED) is None
    assert cache.problem is None


@pytest.mark.parametrize("kind", ["../photo.jpg", "", "photo/jpg", "."])
def test_entry_whose_kinds_would_leave_the_folder_is_missing(tmp_path: Path, kind: str) -> None:
    cache = ResultCache(tmp_path)
    cache.put(KEYS[0], PREPARED, Result(facts={}, files={kind: b"x"}))

    assert cache.get(KEYS[0], PREPARED) is None


def test_files_of_killed_processes_are_removed_too_and_others_stay(tmp_path: Path) -> None:
    others = {"notes.txt", "mine.json", f".{KEYS[0]}.prepared.mine.unfinished", f"{KEYS[1]}.prepared"}
    others |= {f".{KEYS[1]}.prepared.{TOKEN}.unfinished"}  # another process may still write it
    for name in (f".{KEYS[0]}.prepared.{TOKEN}.unfinished", *others):
        (tmp_path / name).write_text("mine")
    os.utime(tmp_path / f".{KEYS[0]}.prepared.{TOKEN}.unfinished", (0, 0))
    (tmp_path / f"{KEYS[1]}.prepared").unlink()
    (tmp_path / f"{KEYS[1]}.prepared").symlink_to(tmp_path / "notes.txt")

    ResultCache(tmp_path).trim(0)

    assert {path.name for path in tmp_path.iterdir()} == others


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES, errno.EIO])
def test_cache_that_cannot_be_written_notes_why(tmp_path: Path, number: int) -> None:
    cache = ResultCache(tmp_path / "cache")

    with fault(tmp_path / "cache", number, "make"):
        cache.put(KEYS[0], PREPARED, RESULT)

    assert os.strerror(number) in str(cache.problem)
    assert cache.get(KEYS[0], PREPARED) is None


@pytest.mark.parametrize("operation", ["read", "list", "delete"])
def test_cache_that_cannot_be_read_listed_or_trimmed_notes_why(tmp_path: Path, operation: str) -> None:
    cache = filled(tmp_path)

    with fault(tmp_path if operation == "list" else tmp_path / f"{KEYS[0]}.prepared", errno.EIO, operation) as failed:
        found = cache.get(KEYS[0], PREPARED)
        cache.trim(0)

    assert failed
    assert (found is None) is (operation == "read")
    assert os.strerror(errno.EIO) in str(cache.problem)


def test_folder_or_pipe_in_place_of_an_entry_is_noted(tmp_path: Path) -> None:
    (tmp_path / f"{KEYS[0]}.prepared").mkdir()
    os.mkfifo(tmp_path / f"{KEYS[1]}.prepared")

    for key in KEYS[:2]:
        cache = ResultCache(tmp_path)
        assert cache.get(key, PREPARED) is None
        assert key in str(cache.problem)


def test_cache_is_shared_while_entries_are_written_and_removed(tmp_path: Path) -> None:
    """Each reader finds an entry whole or not at all."""
    problems: list[str | None] = []
    wrong: list[str] = []

    def use(level: int) -> None:
        cache = ResultCache(tmp_path)
        for turn in range(20):
            cache.put(KEYS[turn % 4], PREPARED, RESULT)
            found = cache.get(KEYS[(turn + level) % 4], PREPARED)
            if found is not None and found != RESULT:
                wrong.append(KEYS[turn % 4])
            cache.trim(200 * (turn % 3))
        problems.append(cache.problem)

    threads = [threading.Thread(target=use, args=(level,)) for level in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert problems == [None] * 4
    assert wrong == []


@pytest.mark.parametrize(
    ("given", "size"), [(None, 10**9), ("", 10**9), ("500MB", 5 * 10**8), ("1.5 gb", 15 * 10**8), ("0kB", 0)]
)
def test_size_is_set_by_the_environment(monkeypatch: pytest.MonkeyPatch, given: str | None, size: int) -> None:
    monkeypatch.delenv("MYCANVAS_CACHE_SIZE", raising=False)
    if given is not None:
        monkeypatch.setenv("MYCANVAS_CACHE_SIZE", given)

    assert cache_size() == size


@pytest.mark.parametrize("given", ["5", "big", "-1GB", "5 TB", "nanMB", "٣GB", f"{10**400}GB"])
def test_wrong_size_is_reported_and_has_no_effect(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, given: str
) -> None:
    monkeypatch.setenv("MYCANVAS_CACHE_SIZE", given)

    assert cache_size() == 10**9
    assert caplog.messages == [f"MYCANVAS_CACHE_SIZE: expected a size such as 500MB or 2GB, got {given!r}; using 1GB"]


@pytest.mark.parametrize(
    ("given", "folder"),
    [
        ("off", None),
        ("OFF", None),
        ("~no_such_user/y", "~no_such_user/y/results"),
        ("/x/y", "/x/y/results"),
        ("~/y", "/home/jane/y/results"),
        ("", "/home/jane/.cache/mycanvas/results"),
    ],
)
def test_folder_is_set_by_the_environment(monkeypatch: pytest.MonkeyPatch, given: str, folder: str | None) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", "/home/jane")
    monkeypatch.setenv("MYCANVAS_CACHE", given)

    assert cache_folder() == (Path(folder) if folder else None)
