"""Entry point of the program: Ctrl-C ends it with one line, also during imports and at exit."""

from __future__ import annotations

from builder.cli.interrupt import answer_signals, exit_on_signal, stop_answering


def run() -> None:
    """Run the command line of this process."""
    exit_on_signal()
    from builder.cli.main import main

    answer_signals()
    try:
        main()
    finally:
        stop_answering()
        exit_on_signal()
