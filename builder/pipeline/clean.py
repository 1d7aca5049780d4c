"""Free space in a build folder: files of ours that are not needed to load, resume or re-select.

A file is ours if its folder and its name are as this program writes them. Nothing else is deleted, and no symbolic link
is followed.
"""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from builder.pipeline.build_folder import BuildFolder
from builder.pipeline.source_photos import Sources
from mycanvas.errors import StoreError
from mycanvas.io.files import UNFINISHED, os_errors, read_json
from mycanvas.io.messages import byte_size, counted
from mycanvas.io.tables import table_lines
from mycanvas.schema import SPLITS

_SHARD = rf"({'|'.join(SPLITS)})-\d{{5}}-of-\d{{5}}\.arrow"
_NAMES: Mapping[str, str] = {
    ".": r"README\.md",
    "data": _SHARD,
    "concepts": r"train-\d{5}-of-\d{5}\.arrow",
    ".build": r"[a-z]+\.(json|jsonl|sha256)",
    ".build/backgrounds": r"(?P<background>[\w-]+-\d+)\.(json|png)",
    ".build/candidates": r"\d{5}\.(arrow|json)",
    ".build/cutouts": r"(?P<key>[0-9a-f]{32})\.(json|cutout\.npy|mask\.png|photo\.jpg)",
    ".build/push": r"[0-9a-f]{64}\.(json|parquet)",
    ".build/staging": _SHARD,
}
"""The names of our files, by the folder within OUT."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Cleaned:
    """Files that are not needed: kind -> path -> size in bytes. deleted: whether they are gone."""

    folder: Path
    files: Mapping[str, Mapping[Path, int]]
    deleted: bool

    def lines(self) -> list[str]:
        """A table of the kinds, and how to delete them."""
        rows = [
            (kind, counted(len(found), "file"), byte_size(sum(found.values()))) for kind, found in self.files.items()
        ]
        total = sum(sum(found.values()) for found in self.files.values())
        if not rows:
            return [f"nothing to free in {self.folder}"]
        if self.deleted:
            return [*table_lines(rows), f"freed {byte_size(total)}"]
        return [*table_lines(rows), f"{byte_size(total)} to free; add --yes to delete these files"]

    def as_json(self) -> dict[str, Any]:
        """The same facts, as JSON types."""
        files = {kind: {str(path): size for path, size in found.items()} for kind, found in self.files.items()}
        return {"files": files, "deleted": self.deleted}


def clean(path: Path, *, delete: bool = False) -> Cleaned:
    """Find, and if asked delete, the files of a build that nothing needs.

    Raises:
        StoreError: the folder holds no build, is in use, or a file cannot be deleted.
    """
    folder = BuildFolder.open(path)
    with _locked(folder):
        found = {kind: {file: file.stat().st_size for file in find(folder)} for kind, find in _KINDS.items()}
        found = {kind: files for kind, files in found.items() if files}
        if delete:
            for files in found.values():
                _delete(files)
            for name in ("push", "staging"):
                _remove_if_empty(folder.hidden / name)
    return Cleaned(folder=path, files=found, deleted=delete)


def push_files(folder: BuildFolder) -> list[Path]:
    """The Parquet files that a push has prepared, and their markers."""
    return [file for file, _ in _ours(folder, ".build/push")]


def remove_push_files(folder: BuildFolder) -> None:
    """Delete what `push_files` finds, once it is published.

    Raises:
        StoreError: a file cannot be deleted.
    """
    _delete(dict.fromkeys(push_files(folder), 0))
    _remove_if_empty(folder.hidden / "push")


def _ours(folder: BuildFolder, place: str, suffix: str = "") -> Iterator[tuple[Path, re.Match[str]]]:
    """Our files in one of the folders of _NAMES; suffix: a pattern that the whole name has to have around ours."""
    inner = folder.path / place
    links = [part for part in (inner, inner.parent) if part != folder.path and part.is_symlink()]
    if links or not inner.is_dir():
        return
    pattern = re.compile(suffix.format(_NAMES[place]) if suffix else _NAMES[place])
    with os_errors(inner), os.scandir(inner) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            match = pattern.fullmatch(entry.name)
            if match and entry.is_file(follow_symlinks=False):
                yield inner / entry.name, match


def _unfinished(folder: BuildFolder) -> Iterator[Path]:
    """Files that a killed process was writing: ".NAME.<number or random letters>.unfinished"."""
    for place in _NAMES:
        for file, _ in _ours(folder, place, rf"\.({{}})\.\w+{re.escape(UNFINISHED)}"):
            yield file


def _staged(folder: BuildFolder) -> Iterator[Path]:
    return (file for file, _ in _ours(folder, ".build/staging"))


def _unplanned_cutouts(folder: BuildFolder) -> Iterator[Path]:
    """Files of cut-outs that no photo of the build has; none before there is a plan, when settings may still change."""
    if not folder.plan():
        return
    keys = {photo.key for photo in Sources.from_json(read_json(folder.sources_file)).photos}
    for file, match in _ours(folder, ".build/cutouts"):
        if match["key"] not in keys:
            yield file


def _unplanned_backgrounds(folder: BuildFolder) -> Iterator[Path]:
    """Files of painted backgrounds that no scene of the plan has; none before there is a plan."""
    plan = folder.plan()
    if not plan:
        return
    planned = {str(line.get("background")).replace(":", "-") for line in plan}
    for file, match in _ours(folder, ".build/backgrounds"):
        if match["background"] not in planned:
            yield file


_KINDS: Mapping[str, Callable[[BuildFolder], Iterator[Path] | list[Path]]] = {
    "unfinished": _unfinished,
    "prepared for a push": push_files,
    "not moved into the dataset": _staged,
    "cut-outs that no plan needs": _unplanned_cutouts,
    "backgrounds that no plan needs": _unplanned_backgrounds,
}
"""How the files of each kind are found."""


def _delete(files: Mapping[Path, int]) -> None:
    """Delete files, markers first: without it, the rest of its files are made again."""
    for file in sorted(files, key=lambda file: file.suffix != ".json"):
        with os_errors(file):
            file.unlink(missing_ok=True)


def _remove_if_empty(place: Path) -> None:
    if place.is_dir() and not place.is_symlink() and not any(place.iterdir()):
        with os_errors(place):
            place.rmdir()


@contextmanager
def _locked(folder: BuildFolder) -> Iterator[None]:
    """Hold the build's lock, without the other effects of `BuildFolder.claim`, which deletes unfinished files."""
    path = folder.hidden / "lock"
    with os_errors(path):
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise StoreError(f"{folder.path} is in use by another process; wait for it") from None
    finally:
        os.close(lock)
