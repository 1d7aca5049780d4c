"""A Hub, a process that publishes on it, and finished builds."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from builder.config import parse_config
from builder.pipeline.build import build
from builder.pipeline.finalize import reselect
from tests.fake_hub import TOKEN, FakeHub, serve
from tests.publishing import Done, Run, environment

DRIVER = """
import contextlib, io, json, logging, os, sys
from builder.cli.main import main
for line in sys.stdin:
    asked = json.loads(line)
    os.environ.update(asked["environment"])
    logging.root.handlers.clear()
    out, err, code = io.StringIO(), io.StringIO(), 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main(asked["arguments"])
        except SystemExit as end:
            code = end.code
    print(json.dumps([code, out.getvalue(), err.getvalue()]), flush=True)
"""
"""Runs one command line after the other: what takes time is to import what they stand on."""


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeHub]:
    with serve(tmp_path_factory.mktemp("hub")) as server:
        yield server


@pytest.fixture
def hub(served: FakeHub) -> Iterator[FakeHub]:
    """The Hub of all tests; whatever one of them breaks works again afterwards."""
    yield served
    served.failing.clear()
    served.lost.clear()
    served.before_commit = lambda: None
    served.hold_after = None


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the programs of `run` keep what they fetch."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="session")
def run(served: FakeHub, home: Path) -> Iterator[Run]:
    """Runs a command line, logged in as the owner of "me/", or with another token."""
    with subprocess.Popen(
        [sys.executable, "-c", DRIVER],
        env=environment(served, home),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as program:
        assert program.stdin
        assert program.stdout
        told, heard = program.stdin, program.stdout

        def one(*arguments: object, token: str = TOKEN) -> Done:
            asked = {"arguments": [str(argument) for argument in arguments], "environment": {"HF_TOKEN": token}}
            print(json.dumps(asked), file=told, flush=True)
            return Done(*json.loads(heard.readline()))

        yield one


@pytest.fixture
def name(numbers: Iterator[int]) -> str:
    """A repository for one test."""
    return f"me/scenes-{next(numbers)}"


@pytest.fixture(scope="session")
def numbers() -> Iterator[int]:
    return count()


@pytest.fixture(scope="session")
def finished(shapes: Path, grounds: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished build without a license; nothing is to be written in it."""
    output = tmp_path_factory.mktemp("finished") / "out"
    values = {"concepts": shapes, "backgrounds": grounds, "output": output, "samples": 45, "resolution": 256}
    build(parse_config({**values, "workers": 1, "shard_size": 8}))
    return output


@pytest.fixture
def built(finished: Path, tmp_path: Path) -> Path:
    """A finished build of one's own, whose maker states a license."""
    folder = shutil.copytree(finished, tmp_path / "out")
    config = folder / ".build" / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "license": "CC-BY-4.0"}))
    reselect(folder, {})
    return folder
