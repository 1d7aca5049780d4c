"""Entry point of the program: Ctrl-C ends it with one line, also during imports and at exit."""

from __future__ import annotations

import os
import signal
from types import FrameType

STOPPED = "stopped; run the same command again to resume"
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)
"""Ctrl-C and a request to terminate; both are handled alike."""


def run() -> None:
    """Run the command line of this process."""
    _exit_on_signal()
    from builder.cli.main import main

    try:
        main()
    finally:
        _exit_on_signal()


def _exit(_number: int, _frame: FrameType | None) -> None:
    os.write(2, f"error: {STOPPED}\n".encode())
    os._exit(1)


def _exit_on_signal() -> None:
    """Exit at once on a stop signal, without Python's clean-up; ignored signals stay ignored."""
    for number in STOP_SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _exit)
