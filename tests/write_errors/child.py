"""Work in a fork of this process, which has imported all that the work needs."""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

TIME = 120
"""Seconds after which a run counts as hanging."""


def import_what_it_imports(work: Callable[[], None], listed: Path) -> None:
    """Run work in a fork, and import all modules that it imported here, so that further forks have them."""

    def list_modules() -> None:
        try:
            work()
        finally:
            listed.write_text("\n".join(name for name, module in sys.modules.items() if module), encoding="utf-8")

    run_in_child(list_modules, Path(os.devnull), Path(os.devnull))
    for name in listed.read_text("utf-8").splitlines():
        with contextlib.suppress(Exception):  # some exist only while others are imported
            importlib.import_module(name)


def run_in_child(work: Callable[[], None], stdout: Path, stderr: Path) -> int:
    """Run work in a fork; return its exit code, -14 if it takes too long, another negative one if a signal ends it.

    Args:
        work: ends by itself or by SystemExit; the traceback of another exception is printed, and the code is 99.
        stdout: a file for its output.
        stderr: a file for its messages.
    """
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    _end_with(work, stdout, stderr)
    raise AssertionError  # it has ended


def _end_with(work: Callable[[], None], stdout: Path, stderr: Path) -> None:
    code = 99
    try:
        for number, file in ((1, stdout), (2, stderr)):
            os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), number)
        signal.alarm(TIME)
        work()
        code = 0
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 0 if ended.code is None else 98
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
