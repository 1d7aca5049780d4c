"""Ctrl-C: answer at once, and end the program with one line, also where no command can handle it."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
from types import FrameType

from builder.engines.base import STOP_SIGNALS

STOPPED = "stopped; run the same command again to resume"
PATIENCE = 0.5
"""Seconds after a stop signal before an answer: a program that has ended by then needs none."""

_ended = threading.Event()


def _exit(_number: int, _frame: FrameType | None) -> None:
    _write(f"error: {STOPPED}")
    os._exit(1)


def exit_on_signal() -> None:
    """Exit at once on a stop signal, without Python's clean-up; ignored signals stay ignored."""
    for number in STOP_SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _exit)


def answer_signals() -> None:
    """Answer stop signals from a thread, until `stop_answering`: the main thread may be within a call of a library.

    The first is answered with the work that the program waits for; the second ends the program, if that takes longer.
    """
    reader, writer = socket.socketpair()
    writer.setblocking(False)
    signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
    os.register_at_fork(after_in_child=_forget_parent)
    threading.Thread(target=_answer, args=(reader, writer), daemon=True).start()


def stop_answering() -> None:
    """The command has ended."""
    _ended.set()


def _answer(reader: socket.socket, _writer: socket.socket) -> None:
    """The thread's work; it holds both ends of the pair open."""
    presses = 0
    while not _ended.is_set():
        if reader.recv(1)[0] not in STOP_SIGNALS:
            continue
        presses += 1
        if _ended.wait(PATIENCE):
            return
        if presses > 1:
            _exit(0, None)
        from mycanvas.io.progress import running_work

        work = running_work()
        step = f"the step of {work!r} that has begun" if work else "the step that has begun"
        _write(f"stopping: waiting for {step}; press Ctrl-C again to stop at once")


def _forget_parent() -> None:
    """A forked process has signals of its own, which are not its parent's."""
    signal.set_wakeup_fd(-1)


def _write(line: str) -> None:
    start = "\n" if sys.stderr is not None and sys.stderr.isatty() else ""  # below a bar
    os.write(2, f"{start}{line}\n".encode())
