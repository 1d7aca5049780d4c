"""The state of the folder after a write failed: what is torn or left there, and how it differs from the whole one."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from mycanvas.export.output import LOCK, MARKER, STAGING
from mycanvas.io.checked import digest
from mycanvas.io.files import UNFINISHED
from tests.contracts.small_builds import bytes_of
from tests.write_errors.failing_disk import Mode

LOCKS = frozenset({"lock", LOCK})
REASONS = {
    "ENOSPC": ("No space left on device", "database or disk is full"),
    "EIO": ("Input/output error",),
    "full disk": ("No space left on device", "database or disk is full"),
}
"""Words of messages, by the way in which calls fail."""
VAGUE = ("disk I/O error", "unable to open database file", "attempt to write a readonly database", "error closing file")
"""Words of SQLite and Arrow about an error that has passed when its reason is looked for."""
USERS = ("cache/", "home/", "tmp/")
"""Folders of the place whose content may differ: results that can be made again, and temporary files."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Whole:
    """Files and output of undisturbed work. known: sums of each file, before and after it."""

    files: dict[str, str]
    output: str
    known: frozenset[tuple[str, str]]

    @classmethod
    def of(cls, root: Path, output: str, start: Path) -> Whole:
        """The state of a folder after undisturbed work, which printed `output`, and the one that it began from."""
        files, before = bytes_of(root), bytes_of(start)
        return cls(files=_kept(files), output=output, known=frozenset([*before.items(), *files.items()]))

    def torn(self, root: Path, files: Mapping[str, str]) -> Iterator[str]:
        """Files under final names whose content is neither that of before nor that of after, nor whole JSON."""
        for name, sum_ in files.items():
            path = root / name
            if (name, sum_) in self.known or name.startswith("tmp/") or UNFINISHED in name or path.name in LOCKS:
                continue
            if not (path.suffix == ".json" and _is_whole_json(path)) and "review.sqlite" not in name:
                yield f"torn or foreign: {name}"

    def differences(self, files: Mapping[str, str], printed: str, when: str, *, by_files: bool) -> Iterator[str]:
        """How files, or what was printed, differ from those of undisturbed work."""
        if not by_files:
            if printed != self.output:
                yield f"{when}, it printed {printed[-500:]} instead of {self.output[-500:]}"
            return
        found = _kept(files)
        names = sorted(name for name in found.keys() | self.files.keys() if found.get(name) != self.files.get(name))
        if names:
            yield f"{when}, other files: {', '.join(names[:6])}"


def _kept(files: Mapping[str, str]) -> dict[str, str]:
    return {name: sum_ for name, sum_ in files.items() if not name.startswith(USERS)}


def left_files(root: Path, files: Iterable[str]) -> list[str]:
    """Unfinished and temporary files, and locks; not an export whose files are whole and could not be moved."""
    marker = root / "export" / MARKER
    moved = marker.is_file() and "files" in json.loads(marker.read_text("utf-8"))
    return [
        name
        for name in files
        if name.startswith("tmp/")
        or name.rpartition("/")[2] in {*LOCKS, "probe"}
        or (name.endswith(UNFINISHED) or (STAGING in name and not moved))
    ]


def flaws_of_message(errors: str, mode: Mode, root: Path) -> Iterator[str]:
    """Flaws of the messages of a command that failed."""
    lines = errors.splitlines()
    if sum(line.startswith("error: ") for line in lines) != 1 or not re.search(r"^error: ", errors, re.MULTILINE):
        yield f"not one message: {errors[-800:]}"
        return
    message = errors[errors.index("error: ") :]
    if str(root) not in message:
        yield f"no path: {message}"
    reasons = (*REASONS[mode.name], *(() if mode.stays else VAGUE))
    if not any(words in message for words in reasons):
        yield f"no reason: {message}"


def _is_whole_json(path: Path) -> bool:
    try:
        values = json.loads(path.read_text("utf-8"))
        return not isinstance(values, dict) or values.pop("checksum", None) in {None, digest(values)}
    except ValueError:
        return False
