"""What tests of publishing share: command lines in one process, and what lies in folders and repositories."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

import mycanvas
from builder.pipeline.build_folder import BuildFolder
from builder.pipeline.finalize import reselect
from tests.fake_hub import FakeHub
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
    return own | hub.environment(home)


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
