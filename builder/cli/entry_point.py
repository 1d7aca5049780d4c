"""Entry point of the program: Ctrl-C ends it with one line, also during imports and at exit."""

from __future__ import annotations

import os

from builder.cli.interrupt import answer_signals, exit_on_signal, stop_answering

SPINS = "10000"
"""How often a thread of torch (GNU's OpenMP) checks whether another one is ready, before it sleeps.

The default is 300000. On a machine whose cores are busy with other programs, each wait then lasts until the scheduler
interrupts it: a language model on two busy cores was 14 times slower. On idle cores both are equally fast.
"""


def run() -> None:
    """Run the command line of this process."""
    exit_on_signal()
    os.environ.setdefault("GOMP_SPINCOUNT", SPINS)  # before torch is imported
    from builder.cli.main import main

    answer_signals()
    try:
        main()
    finally:
        stop_answering()
        exit_on_signal()
