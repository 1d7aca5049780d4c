"""docs/guarantees.md names tests that exist."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from tests.documents import ROOT

PAGE = ROOT / "docs" / "guarantees.md"
TEST = re.compile(r"`(?P<file>tests/[\w/]+\.py)::(?P<name>test_\w+)`")


def test_every_test_that_the_page_names_exists() -> None:
    named = TEST.findall(PAGE.read_text("utf-8"))

    assert len(named) > 20
    assert [f"{file}::{name}" for file, name in named if name not in defined_in(ROOT / file)] == []


def test_every_guarantee_names_a_test() -> None:
    promised = PAGE.read_text("utf-8").split("## Not guaranteed")[0]
    rows = [
        line for line in promised.splitlines() if line.startswith("| ") and not line.startswith(("| ---", "| guar"))
    ]

    assert len(rows) > 8
    assert [row for row in rows if not TEST.search(row)] == []


def defined_in(file: Path) -> set[str]:
    """The names of the tests in a file; none where there is no file."""
    if not file.is_file():
        return set()
    return {node.name for node in ast.parse(file.read_text("utf-8")).body if isinstance(node, ast.FunctionDef)}
