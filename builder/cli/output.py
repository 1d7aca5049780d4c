"""Print the result of a command: lines for people, or JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

import click


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
    click.echo(json.dumps(values, indent=1))


def print_lines(lines: Iterable[str]) -> None:
    """Print lines to stdout."""
    click.echo("\n".join(lines))
