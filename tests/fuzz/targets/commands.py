"""Words on the command line, run in this process in an empty folder, and parsed for commands that do more."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Iterator
from pathlib import Path
from random import Random

import click

from builder.cli.main import cli, main
from mycanvas.io.text import printable
from tests.fuzz.draws import NUMBERS, text
from tests.fuzz.target import Target, require

RUN = (
    "inspect",
    "select",
    "clean",
    "export",
    "evaluate",
    "alignment",
    "ratings",
    "prompts",
    "build",
    "cutouts",
    "models",
)
"""Commands that end early in an empty folder: they read, or find nothing to work on."""
PARSED = tuple(cli.commands)
"""All commands: their words are parsed, and nothing runs."""
VALUES = (
    "nothing",
    "build.toml",
    "concepts",
    ".",
    "1",
    "-1",
    "1e9",
    "nan",
    "512x512",
    "classic",
    "coco",
    "cpu",
    "--",
    "-",
    "a=b",
    "x+y",
)


def targets(scratch: Path) -> Iterator[Target]:
    """The targets of this file; `scratch` is an empty folder."""
    folder = scratch / "empty"
    folder.mkdir()
    (folder / "build.toml").write_text('concepts = "concepts"\n')
    (folder / "concepts").mkdir()
    yield Target(name="words of commands", draw=_words(PARSED), check=_parse, inputs=20_000)
    yield Target(name="commands", draw=_words(RUN), check=lambda words: _run(folder, words), inputs=1_000)


def _words(commands: tuple[str, ...]):
    def draw(random: Random) -> list[str]:
        command = random.choice(commands)
        known = [
            option for parameter in cli.commands[command].params for option in parameter.opts if option.startswith("-")
        ]
        words = [command]
        for _ in range(random.randrange(5)):
            words.append(
                random.choice(known)
                if random.random() < 0.6
                else random.choice(("--", "-", "--x", text(random, most=2)))
            )
            if random.random() < 0.7:
                words.append(
                    random.choice((*VALUES, text(random, surrogates=True, most=2), str(random.choice(NUMBERS))[:400]))
                )
        return [word.replace("\0", "0") for word in words]

    return draw


def _parse(words: list[str]) -> None:
    with contextlib.suppress(click.exceptions.Exit, click.ClickException), contextlib.redirect_stdout(io.StringIO()):
        cli.commands[words[0]].make_context(words[0], words[1:])


def _run(folder: Path, words: list[str]) -> None:
    output, errors = io.StringIO(), io.StringIO()
    before = sorted(os.listdir(folder))
    with contextlib.chdir(folder), contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors):
        try:
            main(words)
            code: object = 0
        except SystemExit as end:
            code = end.code
    require(code in (0, 1, 2), "a command ends with 0, 1 or 2")
    said = errors.getvalue()
    require(
        printable(said) == said and bool(said) >= bool(code),
        "a command that fails says why, without control characters",
    )
    require(sorted(os.listdir(folder)) == before, "a command that fails leaves nothing")
