"""How much the command line reports on stderr: warnings always, information unless -q, details with -v."""

from __future__ import annotations

import logging

import click

from mycanvas.io.text import printable

LOGGER = "mycanvas"


class _Line(logging.Formatter):
    """The line of a message: "warning: MESSAGE", information without its level."""

    def format(self, record: logging.LogRecord) -> str:
        line = printable(super().format(record))
        return line if record.levelno <= logging.INFO else f"{record.levelname.lower()}: {line}"


class _Once(logging.Filter):
    """Drops a warning that was reported already."""

    def __init__(self) -> None:
        super().__init__()
        self._seen: set[str] = set()

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno < logging.WARNING:
            return True
        message = record.getMessage()
        first = message not in self._seen
        self._seen.add(message)
        return first


def start_logging() -> None:
    """Send the logs of this process to stderr, a line each; a repeated warning is reported once."""
    handler = logging.StreamHandler()
    handler.setFormatter(_Line())
    handler.addFilter(_Once())
    logging.basicConfig(handlers=[handler], level=logging.WARNING)
    logging.getLogger(LOGGER).setLevel(logging.INFO)


def _be_quiet(_context: click.Context, _option: click.Parameter, given: bool) -> None:
    if given:
        logging.getLogger(LOGGER).setLevel(logging.WARNING)


def _be_verbose(_context: click.Context, _option: click.Parameter, given: bool) -> None:
    if given:
        logging.getLogger(LOGGER).setLevel(logging.DEBUG)
        logging.getLogger().setLevel(logging.INFO)


QUIET = click.Option(
    ["-q", "--quiet"], is_flag=True, expose_value=False, callback=_be_quiet, help="Report no progress, only warnings."
)
VERBOSE = click.Option(
    ["-v", "--verbose"], is_flag=True, expose_value=False, callback=_be_verbose, help="Report more details."
)
