"""Support of the tests of publishing: command lines in one process, and the rows of folders and repositories."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

import mycanvas
from builder.pipeline.build_folder import BuildFolder
from builder.pipeline.finalize import reselect
from tests.hub.exchange import TOKEN
from tests.hub.fake_hub import FakeHub
from tests.hub_reader import digests, encoded

ROOT = Path(mycanvas.__file__).parents[1]
READER = ROOT / "tests" / "hub_reader.py"


@dataclass(frozen=True)
class Done:
    code: int
    out: str
    err: str


Run = Callable[..., Done]


def environment(hub: FakeHub, home: Path) -> dict[str, str]:
    own = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "XDG_CACHE_HOME": str(home / "cache")}
    own["USE_TORCH"] = "0"  # datasets would import it for streaming
    return own | hub.environment(home)


DRIVER = """
import contextlib, io, json, logging, os, sys
from unittest.mock import patch
from builder.cli.main import main
for line in sys.stdin:
    asked = json.loads(line)
    os.environ.update(asked["environment"])
    logging.root.handlers.clear()
    out, err, code = io.StringIO(), io.StringIO(), 0
    with contextlib.ExitStack() as stack:
        stack.enter_context(contextlib.redirect_stdout(out))
        stack.enter_context(contextlib.redirect_stderr(err))
        for name, value in asked["limits"].items():
            stack.enter_context(patch(name, value))
        try:
            main(asked["arguments"])
        except SystemExit as end:
            code = end.code
    print(json.dumps([code, out.getvalue(), err.getvalue()]), flush=True)
"""
"""Runs the command lines of all tests in one process, which imports everything once."""


@contextmanager
def program(hub: FakeHub, home: Path) -> Iterator[Run]:
    """A process that runs command lines, logged in as the owner of "me/", or with another token.

    limits: constants of modules, by their full names, to replace during the command.
    """
    with subprocess.Popen(
        [sys.executable, "-c", DRIVER],
        env=environment(hub, home),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin
        assert process.stdout
        stdin, stdout = process.stdin, process.stdout

        def one(*arguments: object, token: str = TOKEN, limits: Mapping[str, int] = MappingProxyType({})) -> Done:
            command = {"arguments": [str(argument) for argument in arguments], "limits": dict(limits)}
            print(json.dumps({**command, "environment": {"HF_TOKEN": token}}), file=stdin, flush=True)
            return Done(*json.loads(stdout.readline()))

        yield one


def shards_of(folder: Path) -> dict[str, dict[str, str]]:
    """Split -> the digest of each of its rows, as the folder holds them."""
    found: dict[str, dict[str, str]] = {}
    for file in sorted(folder.glob("*/*.arrow")):
        with pa.memory_map(str(file)) as mapped:
            rows = pa.ipc.open_stream(mapped).read_all().to_pylist()
        split = "concepts" if file.parent.name == "concepts" else file.name.split("-")[0]
        found.setdefault(split, {}).update(digests(map(encoded, rows)))
    return found


def read(hub: FakeHub, home: Path, repo_id: str, python: str = sys.executable) -> Any:
    """The output of the program in hub_reader.py."""
    done = subprocess.run(
        [python, str(READER), repo_id], env=environment(hub, home), capture_output=True, text=True, cwd=home.parent
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def expected(folder: Path) -> dict[str, dict[str, dict[str, str]]]:
    """The output that hub_reader.py must have for a build folder."""
    rows = shards_of(folder)
    photos = {"train": rows.pop("concepts")}
    together = {"train": {key: digest for split in rows.values() for key, digest in split.items()}}
    configs = {"default": rows, "all": together, "concepts": photos}
    ways = [(name, end) for name in ("stock", "ours") for end in ("", " streamed")]
    return {f"{name} {config}{end}": found for name, end in ways for config, found in configs.items()}


def edit_captions(folder: Path, number: int) -> None:
    """Change the captions of so many kept scenes, as a person who corrects them would, and select again."""
    kept = [name for split, rows in shards_of(folder).items() if split != "concepts" for name in rows][:number]

    def edit(row: dict[str, Any]) -> None:
        if row["id"] in kept:
            row["caption"] = f"{row['caption'][:-1]}, seen again."

    _change_rows(folder, edit)


def enlarge_pictures(folder: Path, size: int) -> None:
    """Append so many random bytes to each scene's picture: to everything but a viewer, a picture of more pixels."""
    random = np.random.default_rng(0)

    def enlarge(row: dict[str, Any]) -> None:
        row["image"]["bytes"] += random.bytes(size)

    _change_rows(folder, enlarge)


def _change_rows(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change every generated scene, and select again."""
    build_folder = BuildFolder.open(folder)
    for index, marker in list(build_folder.markers()):
        rows = list(build_folder.candidates(index))
        for row in rows:
            change(row)
        build_folder.write_candidates(index, rows, marker.rejected, marker.config, marker.plan)
    reselect(folder, {})


def published(hub: FakeHub, repo_id: str) -> int:
    """Commits after the one that made the repository; none where there is no repository."""
    return len(hub.repositories[repo_id].branches["main"]) - 1 if repo_id in hub.repositories else 0


def rows_at(hub: FakeHub, repo_id: str) -> dict[str, dict[str, str]]:
    """As `shards_of`, from the Parquet files of a repository."""
    found: dict[str, dict[str, str]] = {}
    for path, file in hub.head(repo_id).files.items():
        if path.endswith(".parquet"):
            rows = pq.read_table(pa.BufferReader(hub.content(file))).to_pylist()
            split = "concepts" if path.startswith("concepts/") else Path(path).name.split("-")[0]
            found.setdefault(split, {}).update(digests(map(encoded, rows)))
    return found


def refused(done: Done, code: int = 1) -> str:
    """The message of a command line that ended in one."""
    assert done.code == code, done
    assert "Traceback" not in done.err
    return done.err[done.err.index("error: ") :]
