"""A built dataset on a Hub: sent by the real huggingface_hub, loaded by the real datasets, every row the same."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

import mycanvas
from builder.build import build
from builder.config import parse_config
from builder.finish import reselect
from builder.store import BuildFolder
from tests.fake_hub import TOKEN, FakeHub, serve
from tests.hub_reader import digests, encoded

ROOT = Path(mycanvas.__file__).parents[1]
READER = ROOT / "tests" / "hub_reader.py"
DATASETS36 = os.environ.get("MYCANVAS_DATASETS36_PYTHON")

DRIVER = """
import contextlib, io, json, os, sys
from builder.cli import main
for line in sys.stdin:
    asked = json.loads(line)
    os.environ.update(asked["environment"])
    out, err, code = io.StringIO(), io.StringIO(), 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main(asked["arguments"])
        except SystemExit as end:
            code = end.code
    print(json.dumps([code, out.getvalue(), err.getvalue()]), flush=True)
"""
"""Runs one command line after the other: what takes time is to import what they stand on."""


@dataclass(frozen=True)
class Done:
    code: int
    out: str
    err: str


Run = Callable[..., Done]


def environment(hub: FakeHub, home: Path) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **hub.environment(home)}


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeHub]:
    with serve(tmp_path_factory.mktemp("hub")) as server:
        yield server


@pytest.fixture(autouse=True)
def in_order(hub: FakeHub) -> Iterator[None]:
    """Whatever a test breaks works again afterwards."""
    yield
    hub.failing.clear()
    hub.before_commit = lambda: None
    hub.hold_after = None


@pytest.fixture(scope="module")
def run(hub: FakeHub, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """Runs a command line, logged in as the owner of "me/", or with another token."""
    with subprocess.Popen(
        [sys.executable, "-c", DRIVER],
        env=environment(hub, tmp_path_factory.mktemp("home")),
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


@pytest.fixture(scope="module")
def finished(shapes: Path, grounds: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished build without a licence; nothing is to be written in it."""
    output = tmp_path_factory.mktemp("finished") / "out"
    values = {"concepts": shapes, "backgrounds": grounds, "output": output, "samples": 45, "resolution": 256}
    build(parse_config({**values, "workers": 1, "shard_size": 8}))
    return output


@pytest.fixture
def built(finished: Path, tmp_path: Path) -> Path:
    """A finished build of one's own, whose maker states a licence."""
    folder = shutil.copytree(finished, tmp_path / "out")
    config = folder / ".build" / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "licence": "CC-BY-4.0"}))
    reselect(folder, {})
    return folder


def shards_of(folder: Path) -> dict[str, dict[str, str]]:
    """Split -> the digest of each of its rows, as they lie in the folder."""
    found: dict[str, dict[str, str]] = {}
    for file in sorted(folder.glob("*/*.arrow")):
        with pa.memory_map(str(file)) as mapped:
            rows = pa.ipc.open_stream(mapped).read_all().to_pylist()
        split = "concepts" if file.parent.name == "concepts" else file.name.split("-")[0]
        found.setdefault(split, {}).update(digests(map(encoded, rows)))
    return found


def read(hub: FakeHub, home: Path, repo_id: str, python: str = sys.executable) -> Any:
    """What the program in hub_reader.py finds."""
    done = subprocess.run(
        [python, str(READER), repo_id], env=environment(hub, home), capture_output=True, text=True, cwd=home.parent
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def expected(folder: Path) -> dict[str, dict[str, dict[str, str]]]:
    """What a reader is to find on the Hub."""
    rows = shards_of(folder)
    photos = {"train": rows.pop("concepts")}
    together = {"train": {key: digest for split in rows.values() for key, digest in split.items()}}
    configs = {"default": rows, "all": together, "concepts": photos}
    ways = [(name, end) for name in ("stock", "ours") for end in ("", " streamed")]
    return {f"{name} {config}{end}": found for name, end in ways for config, found in configs.items()}


def edit_captions(folder: Path, number: int) -> None:
    """Change the captions of so many kept scenes, as somebody would who corrects them, and select again."""
    build_folder = BuildFolder.open(folder)
    kept = [name for split, rows in shards_of(folder).items() if split != "concepts" for name in rows][:number]
    for index, marker in list(build_folder.markers()):
        rows = list(build_folder.candidates(index))
        for row in rows:
            if row["id"] in kept:
                row["caption"] = f"{row['caption'][:-1]}, seen again."
        build_folder.write_candidates(index, rows, marker.rejected, marker.config)
    reselect(folder, {})


def published(hub: FakeHub, repo_id: str) -> int:
    """Commits after the one that made the repository; none where there is no repository."""
    return len(hub.repositories[repo_id].branches["main"]) - 1 if repo_id in hub.repositories else 0


def test_what_was_pushed_loads_by_name_and_by_streaming_every_row_the_same(
    hub: FakeHub, run: Run, built: Path, tmp_path: Path, name: str
) -> None:
    done = run("push", built, name)

    assert (done.code, published(hub, name)) == (0, 1), done.err
    assert read(hub, tmp_path / "home", name) == expected(built)
    assert "Traceback" not in done.err


@pytest.mark.skipif(not DATASETS36, reason="MYCANVAS_DATASETS36_PYTHON names no Python that has datasets 3.6 and wrapt")
def test_datasets_3_reads_the_same(hub: FakeHub, run: Run, built: Path, tmp_path: Path, name: str) -> None:
    run("push", built, name)

    assert read(hub, tmp_path / "home", name, str(DATASETS36)) == expected(built)
