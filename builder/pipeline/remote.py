"""A build at an fsspec URL: each machine works in a local copy of its folder, and machines meet only at the URL.

    URL/README.md, plots/*.png             the card, as in a folder
    URL/.build/states/NNNNN.json           what scenes are made of (plan, cut-outs, backgrounds): path -> sha256
    URL/.build/objects/<sha256>            the files of the states
    URL/.build/candidates/NNNNN.json       the marker of a shard, with the sha256 of each of its files
    URL/.build/candidates/<sha256>.arrow   files of candidates and of their score columns
    URL/.build/shards/<sha256>.arrow       the dataset's shards; readers find them by the manifest, selected.json
    URL/.build/*.json, reviews/*           as in a folder; the manifest is written last

A state is only appended, and a marker is only added, if there is none of its number: whoever comes first decides.
Everything that they name is at the URL before, under its sha256. So nothing is renamed, and nothing is torn.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext, suppress
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TypeVar

from builder.pipeline.build_folder import BuildFolder
from builder.pipeline.manifest import read_manifest
from builder.pipeline.own_files import own_files
from builder.pipeline.remote_edits import CARD, keep_edited_card, take_decisions, upload_decisions
from builder.pipeline.remote_markers import CANDIDATES, SCORES, RemoteMarker, candidate_name, marker_name
from builder.pipeline.remote_objects import as_bytes, at_once, upload
from builder.pipeline.remote_state import MUTABLE, STATES, PlannedElsewhereError, State, States
from builder.pipeline.stored_records import Marker
from mycanvas.errors import InUseError, StoreError
from mycanvas.io.checked import REMAKE, read_checked_or_none, write_checked
from mycanvas.io.files import has_sha256, write_bytes
from mycanvas.io.ownership import PERIOD
from mycanvas.io.progress import Progress
from mycanvas.io.store import Store, mirror_of

_ATTEMPTS = 50
"""How often a build begins again, as another machine has changed its plan at the same time."""

Result = TypeVar("Result")


def in_output(output: Path | str, work: Callable[[BuildFolder], Result], *, shared: bool = False) -> Result:
    """Do some work in the folder of a build, or in this machine's copy of a build at a URL, which it brings up to date.

    Args:
        output: the folder, or the URL.
        work: what to do; it is done again if another machine has changed the plan at the same time.
        shared: whether other processes may work in the copy; then it is up to date already.

    Raises:
        InUseError: another process of this machine works in the copy.
        StoreError: the URL cannot be used; or as `work`.
    """
    if isinstance(output, Path):
        return work(BuildFolder(output))
    folder = RemoteFolder(output)
    with suppress(InUseError) if shared else nullcontext():
        folder.pull()
    for _ in range(_ATTEMPTS - 1):
        before = folder.states.copied()
        with suppress(PlannedElsewhereError):
            return work(folder)
        folder.pull_in_turn(before) if shared else folder.pull()
    return work(folder)


def fetch_settings(url: str, path: Path) -> BuildFolder:
    """Fetch the configuration and the manifest of a build at a URL, as far as it has them.

    Args:
        url: of the build.
        path: a new folder for them.

    Raises:
        StoreError: there is no build, or the URL cannot be read.
    """
    store, folder = Store(url), BuildFolder(path)
    for file in (folder.config_file, folder.selected_file):
        if content := store.read(str(file.relative_to(path))):
            write_bytes(file, content)
    if not folder.config_file.is_file():
        raise StoreError(f"{store.url} holds no finished build; give the URL that `mycanvas build` wrote to")
    return folder


class RemoteFolder(BuildFolder):
    """This machine's copy of the folder of a build at a URL."""

    def __init__(self, url: str) -> None:
        super().__init__(mirror_of(url))
        self.store = Store(url)
        self.states = States(self.store, self)
        self._markers: dict[int, RemoteMarker] = {}

    @property
    def place(self) -> str:
        """The URL."""
        return self.store.url

    @property
    def state(self) -> State:
        """The present plan, cut-outs and backgrounds."""
        return self.states.present

    def check_ownership(self) -> bool:
        """Return whether the copy holds a build; `pull` has refused a URL that holds something else."""
        return self.request_file.is_file()

    def check_build(self) -> None:
        """Refuse a URL without a build."""
        if not self.request_file.is_file():
            raise StoreError(f"{self.place} holds no build; give the URL that `mycanvas build` wrote to")

    def pull(self) -> None:
        """Make the copy equal to what is at the URL; candidates are fetched when they are read.

        Raises:
            InUseError: another process of this machine works in the copy.
            StoreError: the URL cannot be read, or holds something else.
        """
        self._check_url()
        with self.locked():
            markers = self._pull_markers()  # before the state, which then has all that they are made of
            self.states.pull()
            contents = {name: self.store.read(name) for name in MUTABLE}
            keep_edited_card(self, contents[CARD])
            for name, content in contents.items():
                self._take(name, content)
            take_decisions(self.store, self)
            held = {int(match["shard"]) for _, match in own_files(self.path, CANDIDATES)}
            for shard in held - markers.keys():
                self.candidate_file(shard).with_suffix(".json").unlink(missing_ok=True)

    def pull_in_turn(self, before: State | None) -> None:
        """As `pull`; while others work in the copy, wait until it is free, or has another state than before."""
        while self.states.copied() == before:
            with suppress(InUseError):
                self.pull()
                return
            time.sleep(PERIOD)

    def refresh(self) -> None:
        """Learn what other processes and machines have made."""
        self.states.refresh()
        self._pull_markers()

    def fetch_shard(self, shard: int) -> RemoteMarker | None:
        """Fetch a shard that was made, with its marker; None, and no marker is left, if there is no whole one."""
        self.candidate_file(shard).with_suffix(".json").unlink(missing_ok=True)
        content = self.store.read(marker_name(shard))
        if content is None:
            return None
        found = RemoteMarker.parsed(shard, content, self.place)
        if found is None or not self._fetch_files((shard, found))[1]:
            self.store.remove(marker_name(shard))
            return None
        write_checked(self.candidate_file(shard).with_suffix(".json"), asdict(found.marker))
        return found

    def push_shard(self, shard: int, before: RemoteMarker | None) -> None:
        """Upload a shard that was made here, then its marker.

        If another one was faster, that one counts, unless more of its rejections may pass.

        Args:
            shard: its number.
            before: what `fetch_shard` found before it was made, which is replaced if it has changed.
        """
        marker = self.marker(shard)
        if marker is None:  # another process of this machine makes it too, and is about to upload it
            return
        made = RemoteMarker.of(shard, marker)
        if made == before:
            return
        for name, sha256 in made.files.items():
            self.store.upload(self.path / CANDIDATES / name, candidate_name(sha256))
        content, name = as_bytes(asdict(made)), marker_name(shard)
        if before is None or (present := self.store.read(name)) is None:
            self.store.create(name, content)
            return
        other = RemoteMarker.parsed(shard, present, self.place)
        if other is None or other == before or made.retriable() < other.retriable():
            self.store.write(name, content)

    def publish(self) -> None:
        """Upload the dataset: its shards, unless they are whole at the URL, then card and manifest."""
        shards = {f"{sha256}.arrow": self.shard_file(sha256) for sha256 in read_manifest(self).files.values()}
        upload(self.store, ".build/shards", shards, "the dataset")
        upload_decisions(self.store, self)
        for file in [*self.path.glob("README.edited*.md"), *(file for file, _ in own_files(self.path, "plots"))]:
            self.store.upload(file, str(file.relative_to(self.path)))
        for name in MUTABLE:
            self.store.write(name, (self.path / name).read_bytes())

    def made_shards(self) -> set[int]:
        """The shards that have a marker at the URL."""
        return set(self._numbers())

    def has_markers(self) -> bool:
        """Whether a shard was finished when this machine looked last; its plan is here too."""
        return bool(self._markers)

    def markers(self) -> Iterator[tuple[int, Marker]]:
        """As in a folder; first, the score columns that are not on this machine are fetched; raises as there."""
        self._pull_markers()
        self._fetch_made("scores", SCORES)
        yield from super().markers()

    def check_candidates(self, markers: Mapping[int, Marker]) -> None:
        """As in a folder; first, all scenes are fetched, as the commands that show them read the copy; raises as there.

        Args:
            markers: of the shards to compare.
        """
        self._fetch_made("scenes")
        super().check_candidates(markers)

    def has_candidates(self, shard: int, marker: Marker) -> bool:
        """Whether the scenes of a marker are at the URL, or on this machine."""
        return shard in self._markers or super().has_candidates(shard, marker)

    def _check_url(self) -> None:
        """Refuse a URL that holds something else than a build, or whose bucket does not exist."""
        if self.store.names(STATES) or self.store.names(CANDIDATES):
            return
        self.store.check_bucket()
        foreign = sorted(self.store.names("").keys() - {"README.md"})
        if foreign:
            shown = ", ".join(foreign[:3])
            raise StoreError(f"{self.place} holds something else ({shown}); give --output a new or empty place")

    def _pull_markers(self) -> Mapping[int, RemoteMarker]:
        """Fetch all markers; those that are damaged do not count."""
        shards = sorted(self._numbers())
        contents = self.store.read_all([marker_name(shard) for shard in shards])
        found = {
            shard: RemoteMarker.parsed(shard, contents[name], self.place)
            for shard in shards
            if (name := marker_name(shard)) in contents
        }
        self._markers = {shard: marker for shard, marker in found.items() if marker}
        for shard, marker in self._markers.items():
            file = self.candidate_file(shard).with_suffix(".json")
            if read_checked_or_none(file, Marker) != marker.marker:
                write_checked(file, asdict(marker.marker))
        return self._markers

    def _take(self, name: str, content: bytes | None) -> None:
        file = self.path / name
        if content is None:
            file.unlink(missing_ok=True)
        elif not file.is_file() or file.read_bytes() != content:
            write_bytes(file, content)

    def _numbers(self) -> list[int]:
        found = (re.fullmatch(r"(\d{5,9})\.json", name, re.ASCII) for name in self.store.names(CANDIDATES))
        return [int(match[1]) for match in found if match]

    def _fetch_made(self, what: str, ending: str = "") -> None:
        """Fetch the files of all shards that this machine lacks and whose names have an ending.

        Raises:
            StoreError: files at the URL are damaged; their markers are removed, so that the next build remakes the
                shards.
        """
        lost = []
        with Progress(f"fetching {what}", len(self._markers), "shard") as progress:
            for shard, fetched in at_once(partial(self._fetch_files, ending=ending), self._markers.items()):
                if not fetched:
                    lost.append(shard)
                progress.update(1)
        for shard in lost:
            self.store.remove(marker_name(shard))
        if lost:
            more = f", and so {'does' if len(lost) == 2 else 'do'} {len(lost) - 1} more" if len(lost) > 1 else ""
            raise StoreError(f"{self.place}/{marker_name(lost[0])} names a damaged or missing file{more}; {REMAKE}")

    def _fetch_files(self, marked: tuple[int, RemoteMarker], ending: str = "") -> tuple[int, bool]:
        """Fetch the files of a shard that this machine lacks; gives its number, and whether all are whole."""
        shard, marker = marked
        for name, sha256 in marker.files.items():
            if not name.endswith(ending):
                continue
            file = self.path / CANDIDATES / name
            if not (has_sha256(file, sha256) or self.store.download(candidate_name(sha256), file, sha256)):
                return shard, False
        return shard, True
