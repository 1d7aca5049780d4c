"""Free space in a build folder, of files that are not needed to load, resume or re-select; or in the user's cache.

A file is ours if its folder and its name are those that this program writes. Nothing else is deleted, and no symbolic
link within the build folder is followed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from builder.pipeline.build_folder import BuildFolder
from builder.pipeline.manifest import last_manifest
from builder.pipeline.own_files import own_files, unfinished_files
from builder.pipeline.result_cache import cache_files, cache_folder
from mycanvas.errors import ConfigError
from mycanvas.io.files import CACHE, OFF, os_errors
from mycanvas.io.messages import byte_size, counted
from mycanvas.io.tables import table_lines


@dataclass(frozen=True, kw_only=True, slots=True)
class Cleaned:
    """Files of a folder that are not needed: kind -> path -> size in bytes. deleted: whether they were deleted."""

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
    with folder.locked():
        found = {kind: {file: file.stat().st_size for file in find(folder)} for kind, find in _KINDS.items()}
        found = {kind: files for kind, files in found.items() if files}
        if delete:
            for files in found.values():
                _delete(files)
            _remove_if_empty(folder.hidden / "push")
    return Cleaned(folder=path, files=found, deleted=delete)


def clean_cache(*, delete: bool = False) -> Cleaned:
    """Find, and if asked delete, the mattes in the user's cache; builds find them again.

    Raises:
        ConfigError: the cache is turned off.
        InputError: it cannot be read.
        StoreError: a file cannot be deleted.
    """
    folder = cache_folder()
    if folder is None:
        raise ConfigError(f'{CACHE} is "{OFF}": there is no cache; set it to a folder, or unset it for the default one')
    files = {file.path: file.size for file in cache_files(folder)}
    if delete:
        _delete(files)
    return Cleaned(folder=folder, files={"cut-outs and backgrounds": files} if files else {}, deleted=delete)


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


def _ours(folder: BuildFolder, place: str) -> Iterator[tuple[Path, re.Match[str]]]:
    """Our files in one of the folders of NAMES, as own_files gives them; none behind a symbolic link."""
    return ((file, match) for file, match in own_files(folder.path, place) if not _is_behind_link(folder, file))


def _is_behind_link(folder: BuildFolder, file: Path) -> bool:
    """Whether a folder between the build folder and a file is a symbolic link."""
    return any(folder.path in place.parents and place.is_symlink() for place in file.parents)


def _unfinished(folder: BuildFolder) -> Iterator[Path]:
    """Files that a killed process was writing."""
    return (file for file in unfinished_files(folder.path) if not _is_behind_link(folder, file))


def _earlier_shards(folder: BuildFolder) -> Iterator[Path]:
    """Shards that the manifest does not name; none where it is missing or damaged, as any may be in use then."""
    manifest = last_manifest(folder)
    if manifest:
        used = set(manifest.files.values())
        yield from (file for file, match in _ours(folder, ".build/shards") if match["sha256"] not in used)


def _unplanned_cutouts(folder: BuildFolder) -> Iterator[Path]:
    """Files of cut-outs that no photo of the build has; none before there is a plan, when settings may still change."""
    plan = folder.plan()
    if not plan.steps:
        return
    keys = {photo.key for photo in folder.sources().photos} | {*plan.cutouts().values()}
    for file, match in _ours(folder, ".build/cutouts"):
        if match["key"] not in keys:
            yield file


def _unplanned_backgrounds(folder: BuildFolder) -> Iterator[Path]:
    """Files of painted backgrounds that no scene of the plan has; none before there is a plan."""
    plan = folder.plan()
    if not plan.steps:
        return
    planned = {f"{each.scene}-{each.variant}" for each in plan.painted()}
    for file, match in _ours(folder, ".build/backgrounds"):
        if match["background"] not in planned:
            yield file


_KINDS: Mapping[str, Callable[[BuildFolder], Iterator[Path] | list[Path]]] = {
    "unfinished": _unfinished,
    "prepared for a push": push_files,
    "shards of earlier selections": _earlier_shards,
    "cut-outs that no plan needs": _unplanned_cutouts,
    "backgrounds that no plan needs": _unplanned_backgrounds,
}
"""How the files of each kind are found."""


def _delete(files: Mapping[Path, int]) -> None:
    """Delete files, markers first, so that an interruption leaves no marker whose files are gone."""
    for file in sorted(files, key=lambda file: file.suffix != ".json"):
        with os_errors(file):
            file.unlink(missing_ok=True)


def _remove_if_empty(place: Path) -> None:
    if place.is_dir() and not place.is_symlink() and not any(place.iterdir()):
        with os_errors(place):
            place.rmdir()
