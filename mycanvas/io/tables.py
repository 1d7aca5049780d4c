"""Tables of results: columns for the terminal, numbers for a JSON file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from mycanvas.io.reports import write_numbers


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """One table of results.

    key: its name in JSON, and the stem of its file. title: the line above it. cells: the head, then the rows.
    values: every number, as JSON types. notes: lines below it.
    """

    key: str
    title: str
    cells: Sequence[Sequence[str]]
    values: Mapping[str, Any]
    notes: Sequence[str] = ()

    def lines(self) -> list[str]:
        """The table for a terminal: first column left-aligned, numbers right-aligned."""
        return [self.title, *table_lines(self.cells), *self.notes]

    def as_json(self) -> dict[str, Any]:
        """Every number, as JSON types."""
        return dict(self.values)

    def write(self, folder: Path) -> Path:
        """Write every number to KEY.json in a folder; returns the file's path."""
        return write_numbers(folder / f"{self.key}.json", self.values)


def table_lines(rows: Iterable[Sequence[str]], *, align: Literal["left", "right"] = "right") -> list[str]:
    """Lay out rows of text in columns two spaces apart, for a terminal.

    Args:
        rows: the head, if any, then the body; every row has the same number of cells. Spaces in cells are kept.
        align: alignment of all columns but the first, which is left-aligned.
    """
    from tabulate import tabulate

    cells = list(rows)
    columns = len(cells[0]) if cells else 0
    text = tabulate(
        cells,
        tablefmt="plain",
        disable_numparse=True,
        preserve_whitespace=True,
        colalign=("left", *[align] * (columns - 1)),
    )
    return [line.rstrip() for line in text.splitlines()]
