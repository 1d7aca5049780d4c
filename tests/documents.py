"""The code in README.md and docs/*.md: its blocks, and which of them the tests do not run.

A comment before a block says that it is not run, and why: `<!-- not run: needs the Hub -->`. With names, only the lines
of those commands are left out: `<!-- not run (evaluate, alignment): need models -->`.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
DOCUMENTS = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))

_BLOCK = re.compile(
    r"(?:^<!-- not run(?: \((?P<names>[\w, ]+)\))?: (?P<reason>[^>]+) -->\n+)?^```(?P<language>\w*)\n(?P<text>.*?)^```$"
    r"|`mycanvas (?P<inline>[a-z]+\s[^`…]+)`",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Block:
    """A fenced block, or the one command of an inline `mycanvas …`. run: whether the tests run it."""

    language: str
    text: str
    run: bool
    commands: tuple[Command, ...]

    @property
    def file_name(self) -> str | None:
        """The name in the first line of a TOML block: `# photos/concepts.toml`."""
        named = re.match(r"# ([\w/]+\.toml)", self.text) if self.language == "toml" else None
        return named[1] if named else None


@dataclass(frozen=True, kw_only=True, slots=True)
class Command:
    """A line of the shell that begins with `mycanvas`: the words after it, and whether the tests run it."""

    arguments: tuple[str, ...]
    run: bool


def blocks(document: Path) -> Iterator[Block]:
    """The blocks and inline commands of a document, in order."""
    for found in _BLOCK.finditer(document.read_text("utf-8")):
        if found["inline"]:
            line = f"mycanvas {' '.join(found['inline'].split())}"
            yield Block(language="", text=line, run=True, commands=(_command(line, True, ()),))
            continue
        names = tuple(found["names"].split(", ")) if found["names"] else ()
        run = not found["reason"] or bool(names)
        lines = [line for line in found["text"].splitlines() if line.startswith("mycanvas ")]
        commands = tuple(_command(line, run, names) for line in lines) if not found["language"] else ()
        yield Block(language=found["language"], text=found["text"], run=run, commands=commands)


def _command(line: str, run: bool, left_out: tuple[str, ...]) -> Command:
    _, *arguments = shlex.split(line, comments=True)
    return Command(arguments=tuple(arguments), run=run and arguments[0] not in left_out)
