"""The names of the files of a build folder; all other files there are foreign and left alone."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from builder.stages.layout import replies
from mycanvas.io.files import os_errors, unfinished_pattern
from mycanvas.schema import SPLITS

MARKER = ".build/build.json"
"""The file that identifies a folder as a build."""
LOCK = "lock"
"""The file in .build that exists while a command writes to the folder."""
CONCEPTS_SHARD = "train-00000-of-00001.arrow"

_DECIDING = 3600
"""Seconds for which an unfinished file of a decision may still be written by another process."""

NAMES: Mapping[str, str] = {
    ".": r"README\.md",
    "data": rf"({'|'.join(SPLITS)})-\d{{5}}-of-\d{{5}}\.arrow",
    "concepts": re.escape(CONCEPTS_SHARD),
    "plots": r"(positions|sizes)\.png",
    ".build": r"(build|config|selected|sources)\.json|probe",
    ".build/backgrounds": r"(?P<background>[\w-]+-\d+)\.(json|npy)",
    ".build/candidates": r"(?P<shard>\d{5,})(\.scores)?\.(arrow|json)",
    ".build/cutouts": r"(?P<key>[0-9a-f]{32})\.(json|colours\.npy|cutout\.npy|mask\.png|photo\.jpg)",
    ".build/plan": r"(?P<step>\d{5})\.(arrow|json)",
    ".build/push": r"[0-9a-f]{64}\.(json|parquet)",
    ".build/reviews": r"[0-9a-f]{64}\.(json|png)",
    ".build/shards": r"(?P<sha256>[0-9a-f]{64})\.arrow",
}
"""Regular expressions of the names, by the folder within OUT; the folders of replies have names of their own."""


def own_files(output: Path, place: str) -> Iterator[tuple[Path, re.Match[str]]]:
    """Find the files of a build in one of the folders of NAMES, sorted, each with the match of its name.

    A symbolic link to a file is not ours.
    """
    return _matching(output / place, NAMES.get(place, replies.NAME))


def reply_places(output: Path) -> list[str]:
    """The folders of replies of a build, sorted; their files are found as those of NAMES."""
    parent = output / ".build" / "replies"
    return sorted(f".build/replies/{entry.name}" for entry in parent.iterdir()) if parent.is_dir() else []


def is_own(name: str) -> bool:
    """Whether a path within OUT, such as ".build/build.json", is that of a file of a build, which need not exist."""
    folder, _, last = name.rpartition("/")
    pattern = replies.NAME if re.fullmatch(r"\.build/replies/[\w-]+", folder, re.ASCII) else NAMES.get(folder or ".")
    return pattern is not None and re.fullmatch(pattern, last) is not None


def unfinished_files(output: Path) -> Iterator[Path]:
    """Find the unfinished files of a build, which killed processes left.

    One of a decision counts after an hour: people decide about cut-outs while a build runs.
    """
    latest = time.time() - _DECIDING
    names = {**NAMES, **dict.fromkeys(reply_places(output), replies.NAME)}
    for place, name in names.items():
        for file, _ in _matching(output / place, unfinished_pattern(name)):
            if place != ".build/reviews" or file.stat().st_mtime < latest:
                yield file


def enclosing_build(path: Path) -> Path | None:
    """The nearest build folder that a path is in; None if there is none. The path need not exist."""
    parents = Path(os.path.realpath(path)).parents
    return next((folder for folder in parents if os.path.isfile(folder / MARKER)), None)


def may_be_left_first(name: str) -> bool:
    """Whether an entry, such as ".build/lock", may be of a build that was killed before it wrote its marker."""
    folder, _, name = name.partition("/")
    return folder == ".build" and (name == LOCK or bool(re.fullmatch(unfinished_pattern(r"build\.json"), name)))


def _matching(folder: Path, pattern: str) -> Iterator[tuple[Path, re.Match[str]]]:
    if not folder.is_dir():
        return
    with os_errors(folder), os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            match = re.fullmatch(pattern, entry.name)
            if match and entry.is_file(follow_symlinks=False):
                yield folder / entry.name, match
