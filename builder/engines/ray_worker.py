"""The process on a node of a Ray cluster that runs tasks; it checks its node first."""

from __future__ import annotations

import os
import platform
import re
import secrets
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from builder.engines.worker_logs import Logged, collect_logs, log_levels, logged
from mycanvas import __version__
from mycanvas.errors import MyCanvasError
from mycanvas.io.files import os_errors, unfinished, unfinished_pattern
from mycanvas.io.store import Store

Task = TypeVar("Task")
Result = TypeVar("Result")

NAME = "probe"
"""The name in .build of the probe, which is never finished."""
PATIENCE = 10.0
"""Seconds that a node has to see the probe: network file systems keep what they read of a folder for a while."""


def versions() -> str:
    """The versions that must be the same on all nodes, as they write one dataset."""
    return f"mycanvas {__version__}, Python {platform.python_version()}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Probe:
    """The file that a node must see before it works, and what it must know.

    file: in the output folder's .build, absolute; its name, where the output is at a URL. url: of it. content: of the
    file. folder: from which paths of tasks are relative. versions: of the command. levels: for `collect_logs`.
    patience: the seconds in which it must be seen.
    """

    file: Path
    content: str
    folder: Path
    versions: str
    levels: Mapping[str, int]
    patience: float = PATIENCE
    url: str | None = None

    def write(self) -> None:
        """Write the file, in a folder under its only name, so that a killed command leaves no other."""
        if self.url:
            Store(self.url).write(str(self.file), self.content.encode())
        else:
            with os_errors(self.file):
                self.file.parent.mkdir(parents=True, exist_ok=True)
                self.file.write_text(self.content)

    def remove_others(self) -> None:
        """Remove what killed commands left at a URL; `keep` writes the file of a running one again.

        In a folder, unfinished files are removed by whoever claims it.
        """
        if not self.url:
            return
        store, folder = Store(self.url), self.file.parent
        for name in store.names(str(folder)):
            if re.fullmatch(unfinished_pattern(NAME), name) and name != self.file.name:
                store.remove(str(folder / name))

    def keep(self) -> None:
        """Write the file again at a URL, where another command may have removed it."""
        if self.url:
            self.write()

    def remove(self) -> None:
        """Remove the file."""
        if self.url:
            Store(self.url).remove(str(self.file))
        else:
            self.file.unlink(missing_ok=True)

    def is_seen(self) -> bool:
        """Whether this node sees the file."""
        if self.url:
            return Store(self.url).read(str(self.file)) == self.content.encode()
        return self.file.is_file() and self.file.read_text() == self.content


def new_probe(output: Path | str) -> Probe:
    """The probe of a command that writes to a folder or a URL; its file is not written yet."""
    return Probe(
        file=unfinished((Path() if isinstance(output, str) else output.absolute()) / ".build" / NAME),
        url=output if isinstance(output, str) else None,
        content=secrets.token_hex(),
        folder=Path.cwd(),
        versions=versions(),
        levels=log_levels(),
    )


class Worker:
    """An actor, which keeps the models loaded that its tasks load."""

    def refusal(self, probe: Probe) -> str:
        """Why this node cannot work; empty if it can."""
        collect_logs(probe.levels)
        with suppress(OSError):  # without that folder, absolute paths still work
            os.chdir(probe.folder)
        if versions() != probe.versions:
            return f"it has {versions()}, not {probe.versions}; install the same there"
        output, end = probe.url or probe.file.parent.parent, time.monotonic() + probe.patience
        while not probe.is_seen():
            if time.monotonic() > end:
                remedy = "give it the same environment" if probe.url else "mount the same file system there"
                return f"it does not see the files in {output}; {remedy}"
            time.sleep(0.2)
        if not probe.url and not os.access(probe.file.parent, os.W_OK):
            return f"it may not write to {output}; mount it for writing there"
        return ""

    def run(self, work: Callable[[Task], Result], task: Task) -> Logged[Result] | MyCanvasError:
        """Run a task; return its error, as Ray would add a traceback to one that is raised."""
        try:
            return logged(work, task)
        except MyCanvasError as error:
            return error
