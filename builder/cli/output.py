"""Print the result of a command: lines for people, or JSON for programs."""

from __future__ import annotations

import errno
import io
import json
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

import click

from mycanvas.errors import StoreError
from mycanvas.io.files import reason_of
from mycanvas.io.text import printable


class Result(Protocol):
    """The result of a command."""

    def lines(self) -> list[str]:
        """Lines for a terminal."""
        ...

    def as_json(self) -> dict[str, Any]:
        """The same facts, as JSON types."""
        ...


def print_result(result: Result, as_json: bool) -> None:
    """Print a result to stdout."""
    if as_json:
        print_json(result.as_json())
    else:
        print_lines(result.lines())


def print_json(values: Mapping[str, Any] | Sequence[Any]) -> None:
    """Print values as indented JSON to stdout."""
    print_lines([json.dumps(values, indent=1)])


def print_lines(lines: Iterable[str], *, err: bool = False) -> None:
    """Print lines to stdout, or to stderr, without the characters that terminals act on.

    Raises:
        StoreError: they cannot be written, as to a file on a full disk.
    """
    try:
        click.echo(printable("\n".join(lines)), err=err)
    except OSError as error:
        if error.errno == errno.EPIPE:  # its reader has ended; click exits
            raise
        raise StoreError(f"cannot write the output: {reason_of(error, 'write')}") from error


def print_any_character() -> None:
    """Make stdout escape characters that its encoding lacks, as stderr does, rather than fail."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def discard_output() -> None:
    """Drop output that stdout still buffers and cannot write, so that Python's exit does not fail on it again."""
    if sys.stdout is None:  # it was closed before the program began
        return
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
