"""The program's first moment and its last: Ctrl-C ends it in one line also where no command can see to that."""

from __future__ import annotations

import os
import signal
from types import FrameType

from builder.engines.base import STOP_SIGNALS

STOPPED = "stopped; to go on, run the same command again"


def run() -> None:
    """The command line of this process."""
    _stop_at_once()
    from builder.cli.main import main

    try:
        main()
    finally:
        _stop_at_once()


def _stop(_number: int, _frame: FrameType | None) -> None:
    os.write(2, f"error: {STOPPED}\n".encode())
    os._exit(1)


def _stop_at_once() -> None:
    for number in STOP_SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _stop)
