"""The guard of output folders: no foreign files in them, and one process at a time, or several that share the work."""

from __future__ import annotations

import fcntl
import logging
import os
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath

from mycanvas.errors import InUseError, StoreError
from mycanvas.io.files import os_errors

log = logging.getLogger("mycanvas")

SHOWN = 3
"""Names of foreign files that the message lists."""
PERIOD = 0.5
"""Seconds between two attempts to hold a lock that another process holds."""


def check_ownership(folder: Path, marker: str, is_ours: Callable[[str], bool], option: str = "--output") -> bool:
    """Refuse a folder that holds foreign files.

    Args:
        folder: where a command is about to write; it need not exist.
        marker: a file that only this command writes, relative to the folder: ".build/build.json". With it, the whole
            folder is the command's.
        is_ours: whether a command that was interrupted before it wrote the marker may have left this entry. Entries of
            the folder are named "name", those of the marker's own subfolder ".build/name".
        option: of the command line, by which the folder is given; for messages.

    Returns:
        Whether the marker is there.

    Raises:
        StoreError: the folder is a file or a broken link, or holds an entry that is not ours.
        InputError: it cannot be read.
    """
    if folder.exists() and not folder.is_dir():
        raise StoreError(f"{folder} is a file; give {option} a folder")
    if folder.is_symlink() and not folder.exists():
        raise StoreError(f"{folder} is a symbolic link that leads nowhere; correct it, or give {option} a folder")
    with os_errors(folder, "read"):
        if (folder / marker).is_file():
            return True
        foreign = [name for name in _entries(folder, PurePosixPath(marker).parent) if not is_ours(name)]
        if foreign and (folder / marker).is_file():  # another process has begun since
            return True
    if foreign:
        shown = ", ".join(foreign[:SHOWN]) + (", …" if len(foreign) > SHOWN else "")
        raise StoreError(f"{folder} holds something else ({shown}); give {option} a new or empty folder")
    return False


@contextmanager
def locked(file: Path, folder: Path, *, shared: bool = False, wait: bool = False) -> Iterator[None]:
    """Hold the lock of a folder. The lock's file is removed at the end, or left by a killed process or a shared lock.

    Args:
        file: an empty file that only this program makes.
        folder: what the lock protects, for messages.
        shared: hold it together with other processes that share it.
        wait: until it is free, with a message.

    Raises:
        InUseError: another process holds the lock.
        StoreError: the file cannot be made, or is something else.
    """
    reported = False
    while (descriptor := _acquired(file, shared)) is None:
        if not wait:
            raise InUseError(_in_use(file, folder))
        if not reported:
            log.info("waiting: %s", _in_use(file, folder))
        reported = True
        time.sleep(PERIOD)
    try:
        yield
    finally:
        with os_errors(file):
            try:
                if not shared and _is_at(descriptor, file):
                    file.unlink(missing_ok=True)
            finally:
                os.close(descriptor)


@contextmanager
def locked_folder(folder: Path, lock: str) -> Iterator[None]:
    """Make a folder where there is none, and hold its lock; after an error, what is new and empty is removed.

    Args:
        folder: to write to.
        lock: the name of the lock's file in it.

    Raises:
        InUseError: another process holds the lock.
        StoreError: the folder cannot be made.
    """
    new = [each for each in (folder, *folder.parents) if not each.exists()]
    with os_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    try:
        with locked(folder / lock, folder):
            yield
    except BaseException:
        with suppress(OSError):  # not empty: what a killed run needs to resume stays
            for each in new:
                each.rmdir()
        raise


def _acquired(file: Path, shared: bool) -> int | None:
    """The open file, locked; None if another process holds the lock."""
    if file.is_symlink():
        raise StoreError(f"{file} is a symbolic link, not the lock of mycanvas; remove it")
    with os_errors(file):
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK, 0o666)
    try:
        with os_errors(file):
            found = os.fstat(descriptor)
            if found.st_size or not stat.S_ISREG(found.st_mode):
                raise StoreError(f"{file} is not the lock of mycanvas, which is an empty file; move it")
            held = _lock(descriptor, fcntl.LOCK_SH if shared else fcntl.LOCK_EX) and _is_at(descriptor, file)
    except BaseException:
        os.close(descriptor)
        raise
    if held:
        return descriptor
    os.close(descriptor)
    return None


def _in_use(file: Path, folder: Path) -> str:
    """The message for a lock that is not free: who holds it."""
    try:
        descriptor = os.open(file, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:  # it ended since
        return f"{folder} is in use by another process; wait for it"
    try:
        shared = _lock(descriptor, fcntl.LOCK_SH)
    finally:
        os.close(descriptor)
    if shared:
        return f"{folder} is in use by parts of its build (--part); wait until they have ended"
    return f"{folder} is in use by another process; wait for it"


def _lock(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_at(descriptor: int, file: Path) -> bool:
    """Whether an open file still has its name: another process may have removed it, or moved its folder."""
    try:
        return os.path.samestat(os.fstat(descriptor), file.lstat())
    except FileNotFoundError:
        return False


def _entries(folder: Path, subfolder: PurePosixPath) -> list[str]:
    """The sorted names in a folder, the subfolder's own entries in place of the subfolder, after the others."""
    if not folder.exists():
        return []
    names = sorted(entry.name for entry in folder.iterdir())
    if not subfolder.parts or not (folder / subfolder).is_dir():
        return names
    inner = sorted(f"{subfolder}/{entry.name}" for entry in (folder / subfolder).iterdir())
    return [name for name in names if name != str(subfolder)] + inner
