"""Words and openings that readers had to translate stay out of code, tests and documents.

The list is short on purpose: a gate for a few words, not for style.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("mycanvas", "builder", "dataset_card", "tests", "docs")
SUFFIXES = {".py", ".md", ".jinja", ".toml", ".svg"}

WORDS = ("wanted", "told of", "cannot be meant", "cannot be had", "mend", "anew")
OPENING = "What "
"""No docstring begins with it."""

_WORDS = re.compile(r"\b(?:{})\b".format("|".join(words.replace(" ", r"[\s#]+") for words in WORDS)), re.IGNORECASE)


def test_no_file_uses_them() -> None:
    found = [f"{path.relative_to(ROOT)}:{hit}" for path in files() for hit in hits(path.read_text("utf-8"), path)]

    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("text", "hit"),
    [
        ("a = 1\nwanted = 2", "2: wanted"),
        ("def test_nothing_is_wanted(): ...", "1: wanted"),
        ("# Errors are told\n# of once.", "1: told of"),
        ('"""Mend it."""', "1: mend"),
        ('class A:\n    """What it does."""', '2: docstring opens with "What"'),
        ('A = 1\n"""What it is."""', '2: docstring opens with "What"'),
    ],
)
def test_each_is_found_with_its_line(text: str, hit: str) -> None:
    assert list(hits(text, Path("a.py"))) == [hit]


@pytest.mark.parametrize(
    "text", ["# recommend, amend, unwanted", '"""Say what is in it."""', "print('What now?')", "# What follows"]
)
def test_similar_text_is_allowed(text: str) -> None:
    assert list(hits(text, Path("a.py"))) == []


def files() -> Iterator[Path]:
    """Every text file of the project, this one excepted."""
    inside = (path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*")))
    for path in (*sorted(ROOT.glob("*.md")), *inside):
        if path.suffix in SUFFIXES and path != Path(__file__):
            yield path


def hits(text: str, path: Path) -> Iterator[str]:
    """Each hit as "line: word"; words within names count as well."""
    for found in _WORDS.finditer(text.replace("_", " ")):
        line = text.count("\n", 0, found.start()) + 1
        yield f"{line}: {' '.join(found[0].lower().replace('#', ' ').split())}"
    if path.suffix == ".py":
        for node in ast.walk(ast.parse(text)):
            match node:
                case ast.Expr(value=ast.Constant(value=str(docstring))) if docstring.startswith(OPENING):
                    yield f'{node.lineno}: docstring opens with "What"'
