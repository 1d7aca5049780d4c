"""The plan, cut-outs and backgrounds of a build at a URL: numbered states, which list files that are kept by content.

    URL/.build/states/NNNNN.json           path -> sha256 of all files; the last one counts
    URL/.build/objects/<sha256>            the files

A state is only appended, if there is none of its number, and after its objects: whoever comes first decides.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from builder.pipeline.build_folder import BuildFolder
from builder.pipeline.own_files import NAMES, own_files, reply_places
from builder.pipeline.remote_objects import as_bytes, at_once, check_files, upload
from mycanvas.errors import StoreError
from mycanvas.io.checked import REMAKE, digest, parse_checked, read_checked_or_none, write_checked
from mycanvas.io.files import has_sha256, os_errors, sha256_of
from mycanvas.io.ownership import locked
from mycanvas.io.progress import Progress
from mycanvas.io.store import Store

OBJECTS, STATES = ".build/objects", ".build/states"
MUTABLE = ("README.md", ".build/config.json", ".build/sources.json", ".build/selected.json")
"""Files that each command may replace, in the order in which they are written; they are in no state."""
_OTHER_PLACES = frozenset({".build/candidates", ".build/push", ".build/reviews", ".build/shards"})
_REMADE, _REPLIES = frozenset({".build/backgrounds", ".build/cutouts"}), ".build/replies/"
"""Folders of files that a build makes again where they are lost."""


@dataclass(frozen=True, kw_only=True, slots=True)
class State:
    """Everything that scenes are made of. number: of the state; -1: there is none. files: path -> sha256."""

    number: int = -1
    files: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_files(self.files)

    def digest(self) -> str:
        """The sha256 of its values."""
        return digest(asdict(self))


def _is_remade(name: str) -> bool:
    """Whether a build makes a file again, or asks for it again, where it is lost."""
    return name.rpartition("/")[0] in _REMADE or _is_reply(name)


def _is_reply(name: str) -> bool:
    """Whether a file is the reply of a language model. It depends on the moment; each scene is made of one of them."""
    return name.startswith(_REPLIES)


def _state_name(number: int) -> str:
    return f"{STATES}/{number:05d}.json"


class PlannedElsewhereError(StoreError):
    """Another machine has changed what scenes are made of; this one has to begin again."""


class States:
    """The states at a URL, and the files of one of them in this machine's copy of the build.

    Args:
        store: of the URL.
        folder: the copy.
    """

    def __init__(self, store: Store, folder: BuildFolder) -> None:
        self._store, self._folder = store, folder
        self._copied = folder.path.parent / "state.json"
        self.present = State()

    def refresh(self) -> None:
        """Learn which state the copy has by now."""
        self.present = self.copied() or self.present

    def copied(self) -> State | None:
        """The state that the copy had when a command of this machine last fetched or appended one."""
        return read_checked_or_none(self._copied, State)

    def pull(self) -> None:
        """Fetch the last state, and remove what the copy has of a plan that is not at the URL.

        Raises:
            StoreError: a file of it is lost that cannot be made again.
        """
        numbers = sorted(name for name in self._store.names(STATES) if re.fullmatch(r"\d{5}\.json", name, re.ASCII))
        state = self._read(int(numbers[-1][:5])) if numbers else State()
        for place in (".build", ".build/plan"):
            for file in self._files_in(place):
                if self._name(file) not in state.files:
                    file.unlink()
        self._fetch_missing(state)
        self._note(state)

    def catch_up(self, number: int, sha256: str) -> None:
        """Make sure that the copy has all files of a state, whole; other files of it stay, as commands may use them.

        The lock of the folder is not required: the command that this process works for holds it, perhaps with others.

        Args:
            number: of the state.
            sha256: its digest.

        Raises:
            StoreError: the URL has another state of this number, or as `pull`.
        """
        state = self._read(number)
        if state.digest() != sha256:
            raise StoreError(f"{self._store.url} was replaced while a build ran; {REMAKE}")
        if self._missing(state):
            with os_errors(self._copied.parent):
                self._copied.parent.mkdir(parents=True, exist_ok=True)
            with locked(self._copied.with_name("fetching"), self._copied.parent, wait=True):  # one process fetches
                self._fetch_missing(state)
        self.present = state

    def push(self) -> None:
        """Append the state of the copy, if it is another one than that at the URL, and upload what is lost there.

        Raises:
            PlannedElsewhereError: another machine appended another state first.
        """
        found = {self._name(file): file for place in self._places() for file in self._files_in(place)}
        sums = {name: sha256_of(file) for name, file in found.items()}
        remade = {sha256 for name, sha256 in sums.items() if _is_remade(name)}  # compared by whoever fetches it
        files = {sums[name]: file for name, file in found.items()}
        upload(self._store, OBJECTS, files, "cut-outs and backgrounds", by_size=remade)
        self._note(self._appended(sums))

    def _appended(self, sums: Mapping[str, str]) -> State:
        """The state with some files, which is appended unless it is at the URL. Others may append at the same time."""
        state = self.copied() or self.present
        while (files := {**state.files, **sums}) != state.files:
            mine = State(number=state.number + 1, files=files)
            content, name = as_bytes(asdict(mine)), _state_name(mine.number)
            found = self._store.create(name, content)
            if found == content:
                return mine
            state = self._parsed(name, found)
            if any(state.files.get(own, sums[own]) != sums[own] for own in sums if not _is_reply(own)):
                raise PlannedElsewhereError(f"other machines keep changing the plan of {self._store.url}; {REMAKE}")
            sums = {own: sum_ for own, sum_ in sums.items() if own not in state.files}  # either of two replies will do
        return state

    def _read(self, number: int) -> State:
        return self._parsed(name := _state_name(number), self._store.read(name) or b"")

    def _parsed(self, name: str, content: bytes) -> State:
        return parse_checked(content, f"{self._store.url}/{name}", State, "restore it")

    def _missing(self, state: State) -> dict[str, str]:
        """The files of a state that the copy lacks, or has with another content; a reply of its own will do."""
        path = self._folder.path
        return {
            name: sha256
            for name, sha256 in state.files.items()
            if not ((path / name).is_file() if _is_reply(name) else has_sha256(path / name, sha256))
        }

    def _fetch_missing(self, state: State) -> None:
        missing = self._missing(state)
        with Progress("fetching cut-outs and backgrounds", len(missing), "file") as progress:
            for name, fetched in at_once(lambda name: (name, self._fetch(name, missing[name])), missing):
                if not fetched and not _is_remade(name):
                    lost = f"{self._store.url}/{OBJECTS}/{missing[name]}"
                    raise StoreError(
                        f"{lost} is damaged or missing; restore it, or build again on a machine that has it"
                    )
                progress.update(1)

    def _fetch(self, name: str, sha256: str) -> bool:
        """Fetch a file of a state; one that is damaged or missing is removed, and uploaded when it is made again."""
        if self._store.download(f"{OBJECTS}/{sha256}", self._folder.path / name, sha256):
            return True
        (self._folder.path / name).unlink(missing_ok=True)
        if _is_remade(name):
            self._store.remove(f"{OBJECTS}/{sha256}")
        return False

    def _places(self) -> list[str]:
        """The folders of files that scenes are made of."""
        inner = [place for place in NAMES if place.startswith(".build") and place not in _OTHER_PLACES]
        return [*inner, *reply_places(self._folder.path)]

    def _files_in(self, place: str) -> list[Path]:
        found = [file for file, _ in own_files(self._folder.path, place)]
        return [file for file in found if self._name(file) not in MUTABLE]

    def _name(self, file: Path) -> str:
        return str(file.relative_to(self._folder.path))

    def _note(self, state: State) -> None:
        self.present = state
        write_checked(self._copied, asdict(state))
