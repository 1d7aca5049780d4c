"""The cache of mattes: bounded, shared by processes, and never a reason for a build to fail."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from builder.pipeline.matte_cache import MatteCache, cache_files, cache_folder, cache_size
from builder.stages.segment.base import Matte
from tests.faults import fault

SHAPE = (20, 30)
KEYS = [f"{number:064x}" for number in range(4)]
TOKEN = "0123456789abcdef"


def matte(level: float = 1.0) -> Matte:
    return Matte(alpha=np.full(SHAPE, level, np.float32), quality=0.5)


def filled(folder: Path, keys: Sequence[str] = KEYS) -> MatteCache:
    """A cache whose entries were last used in the order of the keys."""
    cache = MatteCache(folder)
    for hour, key in enumerate(keys):
        cache.put(key, matte())
        os.utime(folder / f"{key}.json", (3600 * hour, 3600 * hour))
    return cache


def kept(cache: MatteCache) -> set[str]:
    return {path.stem for path in cache.folder.iterdir()}


def test_least_recently_used_entries_go_first(tmp_path: Path) -> None:
    cache = filled(tmp_path)
    size = max(file.size for file in cache_files(tmp_path))

    cache.trim(10 * size)
    assert kept(cache) == set(KEYS)
    assert cache.get(KEYS[0], SHAPE)
    cache.trim(2 * size)
    assert kept(cache) == {KEYS[0], KEYS[3]}
    cache.trim(0)
    assert kept(cache) == set()
    assert cache.problem is None


def test_files_of_killed_processes_are_removed_too_and_others_stay(tmp_path: Path) -> None:
    others = {"notes.txt", "mine.json", f".{KEYS[0]}.json.mine.unfinished", f"{KEYS[1]}.json"}
    others |= {f".{KEYS[1]}.json.{TOKEN}.unfinished"}  # another process may still write it
    for name in (f".{KEYS[0]}.json.{TOKEN}.unfinished", *others):
        (tmp_path / name).write_text("mine")
    os.utime(tmp_path / f".{KEYS[0]}.json.{TOKEN}.unfinished", (0, 0))
    (tmp_path / f"{KEYS[1]}.json").unlink()
    (tmp_path / f"{KEYS[1]}.json").symlink_to(tmp_path / "notes.txt")

    MatteCache(tmp_path).trim(0)

    assert {path.name for path in tmp_path.iterdir()} == others


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES, errno.EIO])
def test_cache_that_cannot_be_written_notes_why(tmp_path: Path, number: int) -> None:
    cache = MatteCache(tmp_path / "cache")

    with fault(tmp_path / "cache", number, "make"):
        cache.put(KEYS[0], matte())

    assert os.strerror(number) in str(cache.problem)
    assert cache.get(KEYS[0], SHAPE) is None


@pytest.mark.parametrize("operation", ["read", "list", "delete"])
def test_cache_that_cannot_be_read_listed_or_trimmed_notes_why(tmp_path: Path, operation: str) -> None:
    cache = filled(tmp_path)

    with fault(tmp_path if operation == "list" else tmp_path / f"{KEYS[0]}.json", errno.EIO, operation) as failed:
        found = cache.get(KEYS[0], SHAPE)
        cache.trim(0)

    assert failed
    assert (found is None) is (operation == "read")
    assert os.strerror(errno.EIO) in str(cache.problem)


def test_folder_or_pipe_in_place_of_an_entry_is_noted(tmp_path: Path) -> None:
    (tmp_path / f"{KEYS[0]}.json").mkdir()
    os.mkfifo(tmp_path / f"{KEYS[1]}.json")

    for key in KEYS[:2]:
        cache = MatteCache(tmp_path)
        assert cache.get(key, SHAPE) is None
        assert key in str(cache.problem)


def test_cache_is_shared_while_entries_are_written_and_removed(tmp_path: Path) -> None:
    """Each reader finds an entry whole or not at all."""
    problems: list[str | None] = []
    wrong: list[str] = []

    def use(level: int) -> None:
        cache = MatteCache(tmp_path)
        for turn in range(20):
            cache.put(KEYS[turn % 4], matte())
            found = cache.get(KEYS[(turn + level) % 4], SHAPE)
            if found is not None and found.alpha.min() != 1:
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


@pytest.mark.parametrize("given", ["5", "big", "-1GB", "5 TB", "nanMB", "٣GB"])
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
        ("~no_such_user/y", "~no_such_user/y/mattes"),
        ("/x/y", "/x/y/mattes"),
        ("~/y", "/home/jane/y/mattes"),
        ("", "/home/jane/.cache/mycanvas/mattes"),
    ],
)
def test_folder_is_set_by_the_environment(monkeypatch: pytest.MonkeyPatch, given: str, folder: str | None) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", "/home/jane")
    monkeypatch.setenv("MYCANVAS_CACHE", given)

    assert cache_folder() == (Path(folder) if folder else None)
