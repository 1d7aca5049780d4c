"""Commands of mycanvas, each in a process of its own that is forked from one in which the imports are done."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

PATIENCE = 180.0
"""Seconds in which a command, or a worker whose parent was killed, must end; only a guard against hangs."""
_CONTEXT: Any = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["datasets", "builder.cli.main", "builder.pipeline.build", "builder.pipeline.parts"])


class Command:
    """A command that has started.

    Args:
        words: after the program's name.
        log: the file to which it writes its output and its errors.
        environment: variables that it sees besides those of this process.
    """

    def __init__(self, words: Sequence[str], log: Path, environment: Mapping[str, str]) -> None:
        self._log = log
        self._process = _CONTEXT.Process(target=_run, args=(list(words), log, dict(environment)))
        self._process.start()
        self.pid: int = self._process.pid

    def has_ended(self) -> bool:
        """Whether it has ended."""
        return not self._process.is_alive()

    def workers(self) -> list[psutil.Process]:
        """The workers of the local engine that it has now."""
        with suppress(psutil.NoSuchProcess):
            return [each for each in psutil.Process(self.pid).children(recursive=True) if _is_worker(each)]
        return []

    def send(self, number: int) -> None:
        """Send it a signal, unless it has ended."""
        if not self.has_ended():
            os.kill(self.pid, number)

    def kill(self) -> bool:
        """Kill it, and wait until its workers have ended; returns whether it had not ended before.

        Raises:
            AssertionError: a worker outlives it.
        """
        workers = self.workers()
        self.send(signal.SIGKILL)
        killed = self.end() == -signal.SIGKILL
        _, alive = psutil.wait_procs(workers, PATIENCE)
        assert not alive, f"workers outlive their parent: {alive}"
        return killed

    def end(self) -> int:
        """Wait until it ends; returns its exit code, or the negative number of the signal that ended it.

        Raises:
            AssertionError: it does not end.
        """
        self._process.join(PATIENCE)
        code: int | None = self._process.exitcode
        if code is None:
            self._process.kill()
            raise AssertionError(f"it did not end: {self.output()}")
        return code

    def output(self) -> str:
        """Its output and its errors until now."""
        return self._log.read_text(errors="replace") if self._log.exists() else ""


def _run(words: Sequence[str], log: Path, environment: Mapping[str, str]) -> None:
    """The work of the process: as `mycanvas` on the command line."""
    from builder.cli.entry_point import run

    os.environ.update(environment)
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    sys.argv = ["mycanvas", *words]
    run()


def _is_worker(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        return any("spawn_main" in word for word in process.cmdline()) and process.status() != psutil.STATUS_ZOMBIE
    return False
