"""End the program with one line on Ctrl-C, where no command can handle it."""

from __future__ import annotations

import os
import signal
from types import FrameType

from builder.engines.base import STOP_SIGNALS

STOPPED = "stopped; run the same command again to resume"


def _exit(_number: int, _frame: FrameType | None) -> None:
    os.write(2, f"error: {STOPPED}\n".encode())
    os._exit(1)


def exit_on_signal() -> None:
    """Exit at once on a stop signal, without Python's clean-up; ignored signals stay ignored."""
    for number in STOP_SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _exit)
