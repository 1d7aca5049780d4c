"""The program's first moment: Ctrl-C ends it in one line even while what it is made of is still being read."""

from __future__ import annotations

import os
import signal
from types import FrameType

STOPPED = "stopped; run the same command again to go on where it stopped"


def run() -> None:
    """The command line of this process. Nothing is begun before it has its own way to stop."""
    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _stop)
    from builder.cli import main

    main()


def _stop(_number: int, _frame: FrameType | None) -> None:
    os.write(2, f"error: {STOPPED}\n".encode())
    os._exit(1)
