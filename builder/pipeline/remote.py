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

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext, suppress
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from builder.pipeline.build_folder import BuildFolder
from builder.pipeline.manifest import read_manifest
from builder.pipeline.own_files import NAMES, is_own, own_files, reply_places
from builder.pipeline.stored_records import Marker
from mycanvas.errors import InUseError, StoreError
from mycanvas.io.checked import REMAKE, digest, parse_checked, read_checked_or_none, with_checksum, write_checked
from mycanvas.io.files import has_sha256, sha256_of, write_bytes
from mycanvas.io.progress import Progress
from mycanvas.io.store import Store, mirror_of

OBJECTS, STATES, CANDIDATES = ".build/objects", ".build/states", ".build/candidates"
SCORES = ".scores.arrow"
"""The end of the names of the files that selection reads."""
MUTABLE = (".build/config.json", ".build/sources.json", ".build/selected.json", "README.md")
"""Files that each command may replace, in the order in which they are written."""
_OTHER_PLACES = frozenset({CANDIDATES, ".build/push", ".build/reviews", ".build/shards"})
_REMADE = frozenset({".build/backgrounds", ".build/cutouts"})
"""Folders of files that a build makes again where they are lost."""
_ATTEMPTS = 50
"""How often a build begins again, as another machine has changed its plan at the same time."""

_STREAMS = 8
"""Objects that are read or written at a time."""

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True, kw_only=True, slots=True)
class State:
    """Everything that scenes are made of. number: of the state; -1: there is none. files: path -> sha256."""

    number: int = -1
    files: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check_files(self.files)

    def digest(self) -> str:
        """The sha256 of its values."""
        return digest(asdict(self))


@dataclass(frozen=True, kw_only=True, slots=True)
class RemoteMarker:
    """The content of a marker at a URL. marker: of the build folder. files: the sha256 of the others, by name."""

    marker: Mapping[str, Any]
    files: Mapping[str, str]

    def __post_init__(self) -> None:
        _check_files({f"{CANDIDATES}/{name}": sha256 for name, sha256 in self.files.items()})


class PlannedElsewhereError(StoreError):
    """Another machine has changed what scenes are made of; this one has to begin again."""


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
    for left in reversed(range(_ATTEMPTS)):
        with suppress(InUseError) if shared else nullcontext():
            folder.pull()
        try:
            return work(folder)
        except PlannedElsewhereError:
            if not left:
                raise
    raise AssertionError


class RemoteFolder(BuildFolder):
    """This machine's copy of the folder of a build at a URL."""

    def __init__(self, url: str) -> None:
        super().__init__(mirror_of(url))
        self.store = Store(url)
        self.state = State()
        self._markers: dict[int, RemoteMarker] = {}
        self._lost: set[str] = set()
        self._copied = self.path.parent / "state.json"

    @property
    def place(self) -> str:
        """The URL."""
        return self.store.url

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
            self._pull_state()
            for name in MUTABLE:
                self._take(name, self.store.read(name))
            reviews = [f".build/reviews/{name}" for name in self.store.names(".build/reviews")]
            for name in filter(is_own, reviews):
                self._take(name, self.store.read(name))
            held = {int(match["shard"]) for _, match in own_files(self.path, CANDIDATES)}
            for shard in held - markers.keys():
                self.candidate_file(shard).with_suffix(".json").unlink(missing_ok=True)

    def refresh(self) -> None:
        """Learn what other processes and machines have made."""
        self.state = self._state_copied() or self.state
        self._pull_markers()

    def catch_up(self, number: int, sha256: str) -> None:
        """Fetch what scenes are made of, unless this machine has it; number, sha256: of the state."""
        if self._has_state(number, sha256):
            return
        with self.locked(wait=True):
            if not self._has_state(number, sha256):
                self._pull_state()

    def push(self) -> None:
        """Append the present state, if it is another one than that at the URL.

        Raises:
            PlannedElsewhereError: another machine appended another state first.
        """
        found = {str(file.relative_to(self.path)): file for place in self._places() for file in self._in_state(place)}
        sums = {name: sha256_of(file) for name, file in found.items()}
        before = self._state_copied() or self.state
        state = State(number=before.number + 1, files={**before.files, **sums})
        if state.files == before.files and not self._lost:
            self.state = before
            return
        there = self.store.names(OBJECTS)
        new = {sums[name]: file for name, file in found.items() if there.get(sums[name]) != file.stat().st_size}
        self._upload({f"{OBJECTS}/{sha256}": file for sha256, file in new.items()}, "cut-outs and backgrounds")
        self._lost.clear()
        if state.files == before.files:
            self.state = before
            return
        content = _as_bytes(asdict(state))
        if self.store.create(f"{STATES}/{state.number:05d}.json", content) != content:
            raise PlannedElsewhereError(f"other machines keep changing the plan of {self.place}; {REMAKE}")
        self._note(state)

    def fetch_shard(self, shard: int) -> RemoteMarker | None:
        """Fetch a shard that was made, with its marker; None, and no marker is left, if there is no whole one."""
        self.candidate_file(shard).with_suffix(".json").unlink(missing_ok=True)
        content = self.store.read(_marker_name(shard))
        if content is None:
            return None
        found = self._parsed_marker(shard, content)
        if found is None or not self._fetch_files((shard, found))[1]:
            self.store.remove(_marker_name(shard))
            return None
        write_checked(self.candidate_file(shard).with_suffix(".json"), found.marker)
        return found

    def push_shard(self, shard: int, before: RemoteMarker | None) -> None:
        """Upload a shard that was made here, then its marker; if another one was faster, that one counts.

        Args:
            shard: its number.
            before: what `fetch_shard` found before it was made, which is replaced if it has changed.
        """
        marker = self.marker(shard)
        if marker is None:  # another process of this machine makes it too, and is about to upload it
            return
        own = [file for file, match in own_files(self.path, CANDIDATES) if int(match["shard"]) == shard]
        files = {file.name: sha256_of(file) for file in own if file.suffix != ".json"}
        made = RemoteMarker(marker=_as_json(marker), files=files)
        if made == before:
            return
        for name, sha256 in files.items():
            self.store.upload(self.path / CANDIDATES / name, _candidate_name(sha256))
        content, name = _as_bytes(asdict(made)), _marker_name(shard)
        if before is None:
            self.store.create(name, content)
        else:  # it had scenes that were worth another try
            self.store.write(name, content)

    def publish(self) -> None:
        """Upload the dataset: its shards, then card and manifest."""
        there = self.store.names(".build/shards")
        manifest = read_manifest(self)
        sizes = {sha256: manifest.bytes[name] for name, sha256 in manifest.files.items()}
        new = [sha256 for sha256, size in sizes.items() if there.get(f"{sha256}.arrow") != size]
        self._upload({f".build/shards/{sha256}.arrow": self.shard_file(sha256) for sha256 in new}, "the dataset")
        edited = sorted(self.path.glob("README.edited*.md"))
        others = [file for place in ("plots", ".build/reviews") for file, _ in own_files(self.path, place)]
        for file in [*edited, *others]:
            self.store.upload(file, str(file.relative_to(self.path)))
        for name in ("README.md", *(name for name in MUTABLE if name != "README.md")):
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
        """Refuse a URL that holds something else than a build."""
        if self.store.names(STATES) or self.store.names(CANDIDATES):
            return
        foreign = sorted(self.store.names("").keys() - {"README.md"})
        if foreign:
            shown = ", ".join(foreign[:3])
            raise StoreError(f"{self.place} holds something else ({shown}); give --output a new or empty place")

    def _places(self) -> list[str]:
        """The folders of files that scenes are made of."""
        inner = [place for place in NAMES if place.startswith(".build") and place not in _OTHER_PLACES]
        return [*inner, *reply_places(self.path)]

    def _in_state(self, place: str) -> list[Path]:
        found = [file for file, _ in own_files(self.path, place)]
        return [file for file in found if str(file.relative_to(self.path)) not in MUTABLE]

    def _pull_state(self) -> None:
        """Fetch the last state, and remove what this machine has of a plan that is not at the URL."""
        numbers = sorted(name for name in self.store.names(STATES) if re.fullmatch(r"\d{5}\.json", name, re.ASCII))
        state = State()
        if numbers:
            name = f"{STATES}/{numbers[-1]}"
            state = parse_checked(self.store.read(name) or b"", f"{self.place}/{name}", State, "restore it")
        for place in (".build", ".build/plan"):
            for file in self._in_state(place):
                if str(file.relative_to(self.path)) not in state.files:
                    file.unlink()
        missing = {name: sha256 for name, sha256 in state.files.items() if not has_sha256(self.path / name, sha256)}
        with Progress("fetching cut-outs and backgrounds", len(missing), "file") as progress:
            for name, fetched in _at_once(lambda name: (name, self._fetch_object(name, missing[name])), missing):
                if not fetched and name.rpartition("/")[0] not in _REMADE:
                    raise StoreError(f"{self.place}/{OBJECTS}/{missing[name]} is damaged or missing; restore it")
                progress.update(1)
        self._note(state)

    def _fetch_object(self, name: str, sha256: str) -> bool:
        """Fetch a file of a state; one that is damaged or missing is removed, and uploaded when it is made again."""
        if self.store.download(f"{OBJECTS}/{sha256}", self.path / name, sha256):
            return True
        (self.path / name).unlink(missing_ok=True)
        if name.rpartition("/")[0] in _REMADE:
            self.store.remove(f"{OBJECTS}/{sha256}")
            self._lost.add(sha256)
        return False

    def _pull_markers(self) -> Mapping[int, RemoteMarker]:
        """Fetch all markers; those that are damaged do not count."""
        shards = sorted(self._numbers())
        contents = self.store.read_all([_marker_name(shard) for shard in shards])
        found = {shard: self._parsed_marker(shard, contents[_marker_name(shard)]) for shard in shards}
        self._markers = {shard: marker for shard, marker in found.items() if marker}
        for shard, marker in self._markers.items():
            file = self.candidate_file(shard).with_suffix(".json")
            if _as_json(read_checked_or_none(file, Marker)) != marker.marker:
                write_checked(file, marker.marker)
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
            StoreError: a file at the URL is damaged; its marker is removed, so that the next build remakes the shard.
        """
        with Progress(f"fetching {what}", len(self._markers), "shard") as progress:
            for shard, fetched in _at_once(partial(self._fetch_files, ending=ending), self._markers.items()):
                if not fetched:
                    self.store.remove(_marker_name(shard))
                    raise StoreError(f"{self.place}/{_marker_name(shard)} names a damaged or missing file; {REMAKE}")
                progress.update(1)

    def _fetch_files(self, marked: tuple[int, RemoteMarker], ending: str = "") -> tuple[int, bool]:
        """Fetch the files of a shard that this machine lacks; gives its number, and whether all are whole."""
        shard, marker = marked
        for name, sha256 in marker.files.items():
            if not name.endswith(ending):
                continue
            file = self.path / CANDIDATES / name
            if not (has_sha256(file, sha256) or self.store.download(_candidate_name(sha256), file, sha256)):
                return shard, False
        return shard, True

    def _upload(self, files: Mapping[str, Path], what: str) -> None:
        """Upload files, by the names of their objects."""
        with Progress(f"uploading {what}", len(files), "file") as progress:
            for _ in _at_once(lambda name: self.store.upload(files[name], name), files):
                progress.update(1)

    def _parsed_marker(self, shard: int, content: bytes) -> RemoteMarker | None:
        with suppress(StoreError):
            return parse_checked(content, f"{self.place}/{_marker_name(shard)}", RemoteMarker)
        return None

    def _state_copied(self) -> State | None:
        return read_checked_or_none(self._copied, State)

    def _has_state(self, number: int, sha256: str) -> bool:
        copied = self._state_copied()
        return copied is not None and copied.number == number and copied.digest() == sha256

    def _note(self, state: State) -> None:
        self.state = state
        write_checked(self._copied, asdict(state))


def _check_files(files: Mapping[str, str]) -> None:
    """Refuse names and sums that are not of a build: they become paths on this machine.

    Raises:
        ValueError: one is not.
    """
    for name, sha256 in files.items():
        if not (is_own(name) and re.fullmatch("[0-9a-f]{64}", sha256, re.ASCII)):
            raise ValueError(f"{name}: {sha256}")


def _at_once(work: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """The results of some work on each item, in order; several at a time, as most of it is waiting."""
    with ThreadPoolExecutor(_STREAMS) as pool:
        yield from pool.map(work, items)


def _marker_name(shard: int) -> str:
    return f"{CANDIDATES}/{shard:05d}.json"


def _candidate_name(sha256: str) -> str:
    return f"{CANDIDATES}/{sha256}.arrow"


def _as_json(marker: Marker | None) -> Any:
    """The values of a marker as JSON types."""
    return json.loads(json.dumps(asdict(marker))) if marker else None


def _as_bytes(values: Mapping[str, Any]) -> bytes:
    return json.dumps(with_checksum(values), indent=1, sort_keys=True).encode()
