"""Where commands write, in a folder or at a URL: what it holds, how far the work is, and whether all of it is whole."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping
from pathlib import Path
from random import Random
from typing import Any, Protocol

from builder.pipeline.build_folder import BuildFolder
from builder.pipeline.manifest import last_manifest
from builder.pipeline.own_files import own_files
from builder.pipeline.plan import Plan
from mycanvas.io.checked import read_checked_or_none
from mycanvas.io.files import has_sha256, sha256_of
from mycanvas.io.store import mirror_of
from tests.contracts.small_builds import but_where, bytes_of

_HIDDEN = ("backgrounds", "candidates", "cutouts", "plan", "shards")
WATCHED = ("", "concepts", "data", "plots", ".build", *(f".build/{name}" for name in _HIDDEN))
"""Folders of a build in which files come and go."""
FOREIGN = ("notes.txt", "data/notes.txt", ".build/notes.txt", ".build/shards/notes.arrow")
"""Files that are not of a build."""


class Place(Protocol):
    """The output of commands."""

    @property
    def name(self) -> str:
        """The place as it is given to --output."""
        ...

    @property
    def folder(self) -> Path:
        """The folder in which this machine works."""
        ...

    @property
    def environment(self) -> Mapping[str, str]:
        """Variables of the environment of the machine's commands."""
        ...

    def sums(self) -> dict[str, str]:
        """The sha256 of everything that is there, by name, except for the configuration, which names the place."""
        ...

    def flaws(self) -> list[str]:
        """Names of what is not whole there."""
        ...

    def add_foreign_files(self) -> None:
        """Put files there that are not of a build."""
        ...

    def move(self, draw: Random) -> None:
        """Perhaps work on another machine from now on, where there are several."""
        ...

    def remove(self) -> None:
        """Remove everything there, and the caches of the machines."""
        ...


class Folder:
    """A folder on this machine.

    Args:
        folder: the path.
        cache: of the user.
        environment: more variables of the commands.
    """

    def __init__(self, folder: Path, cache: Path, environment: Mapping[str, str]) -> None:
        self.folder, self.name, self._cache = folder, str(folder), cache
        self.environment = {"MYCANVAS_CACHE": str(cache), "MYCANVAS_REVIEWS": "off", **environment}

    def sums(self) -> dict[str, str]:
        return but_where(bytes_of(self.folder))

    def flaws(self) -> list[str]:
        """Files with a final name that are not whole: shards, manifests, markers and what they name."""
        folder, found = BuildFolder(self.folder), list[str]()
        for place in (".build", ".build/plan", ".build/cutouts", ".build/backgrounds"):
            for file, _ in own_files(self.folder, place):
                if file.suffix == ".json" and read_checked_or_none(file, dict[str, Any]) is None:
                    found.append(f"{file} is not whole")
        for file, match in own_files(self.folder, ".build/shards"):
            if sha256_of(file) != match["sha256"]:
                found.append(f"{file} has another content than its name says")
        for shard in folder.made_shards():
            if folder.marker(shard) is None and folder.candidate_file(shard).with_suffix(".json").is_file():
                found.append(f"shard {shard} does not match its marker")
        manifest = last_manifest(folder)
        for name, digest in manifest.files.items() if manifest else ():
            if not has_sha256(folder.shard_file(digest), digest):
                found.append(f"{name} of the manifest is not whole")
        return found

    def add_foreign_files(self) -> None:
        for name in FOREIGN:
            (self.folder / name).write_text(name)

    def move(self, draw: Random) -> None:
        pass

    def remove(self) -> None:
        for folder in (self.folder, self._cache):
            shutil.rmtree(folder, ignore_errors=True)


class Url:
    """A URL, at which each of several machines works in a copy of its own.

    Args:
        url: the place.
        files: fsspec's client of the store.
        cache: the parent of the machines' caches.
        environment: more variables of the commands.
    """

    def __init__(self, url: str, files: Any, cache: Path, environment: Mapping[str, str]) -> None:
        self.name, self._files, self._caches, self._environment = url, files, cache, environment
        self._root, self._machine = url.split("://")[1], "a"

    @property
    def environment(self) -> Mapping[str, str]:
        return {
            "MYCANVAS_CACHE": str(self._caches / self._machine),
            "MYCANVAS_REVIEWS": "off",
            **self._environment,
        }

    @property
    def folder(self) -> Path:
        return self._caches / self._machine / mirror_of(self.name).relative_to(mirror_of(self.name).parents[2])

    def sums(self) -> dict[str, str]:
        names = self._files.find(self._root)
        found = self._files.cat(names) if names else {}  # many at a time
        start = f"{self._root}/"
        sums = {name.removeprefix(start): hashlib.sha256(content).hexdigest() for name, content in found.items()}
        return but_where(sums)

    def flaws(self) -> list[str]:
        """Objects that are named by a digest and have another content."""
        found = []
        for name, digest in self.sums().items():
            stem = name.rpartition("/")[2].removesuffix(".arrow")
            if len(stem) == len(digest) and stem != digest:
                found.append(f"{name} has another content than its name says")
        return found

    def add_foreign_files(self) -> None:
        for name in FOREIGN:
            self._files.pipe_file(f"{self._root}/{name}", name.encode())

    def move(self, draw: Random) -> None:
        self._machine = draw.choice(["a", "b"])

    def remove(self) -> None:
        self._files.rm(self._root, recursive=True)
        shutil.rmtree(self._caches, ignore_errors=True)


def traces(folder: Path) -> tuple[int, ...]:
    """Numbers that change when a file in a build's folder is made, renamed or removed."""
    return tuple(_changed(folder / name) for name in WATCHED)


def _changed(folder: Path) -> int:
    try:
        return folder.stat().st_mtime_ns
    except OSError:
        return 0


STAGES = ("start", "cut-outs and plan", "backgrounds", "scenes", "dataset", "end")
"""The stages of a work, in order; one that is no build has only the last two."""


class Stages:
    """Tells the stages of a work in a folder, which holds an earlier build, or nothing.

    Args:
        folder: of the build, before the work.
        plans: whether the work is a build.
    """

    def __init__(self, folder: Path, plans: bool) -> None:
        self._plans, before = plans, BuildFolder(folder)
        self._steps, self._candidates, self._manifest = _steps(before), _candidates(before), last_manifest(before)

    def now(self, path: Path) -> str:
        """The present stage, from what a machine's folder holds: steps of the plan, markers and the manifest."""
        folder = BuildFolder(path)
        if not folder.request_file.is_file():
            return "start"
        if last_manifest(folder) != self._manifest:
            return "end"
        if not self._plans:
            return "dataset"
        if _steps(folder) <= self._steps:
            return "cut-outs and plan"
        if len(folder.made_shards()) == len(Plan.read(folder.plan_folder).shards()):
            return "dataset"
        return "scenes" if _candidates(folder) > self._candidates else "backgrounds"


def _steps(folder: BuildFolder) -> int:
    return len(list(folder.plan_folder.glob("[0-9]*.json")))


def _candidates(folder: BuildFolder) -> int:
    return len(list((folder.hidden / "candidates").glob("*")))
