"""Entry point of the program: Ctrl-C ends it with one line, also during imports and at exit."""

from __future__ import annotations

from builder.cli.interrupt import exit_on_signal


def run() -> None:
    """Run the command line of this process."""
    exit_on_signal()
    from builder.cli.main import main

    try:
        main()
    finally:
        exit_on_signal()
