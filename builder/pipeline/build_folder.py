"""All reading and writing of a build: who owns the folder, its cut-outs, its candidates, the dataset in it.

    OUT/README.md                     the card
    OUT/data/<split>-NNNNN-of-NNNNN.arrow, OUT/concepts/train-NNNNN-of-NNNNN.arrow
    OUT/.build/build.json             what the build was asked to do; another request is refused
    OUT/.build/plan.jsonl             one line for each planned scene
    OUT/.build/config.json            the whole configuration, with what was last selected
    OUT/.build/sources.json           what became of each photo, and the backgrounds
    OUT/.build/cutouts/<key>.*        cut-outs, by the photo's content and the segmenter's parameters
    OUT/.build/backgrounds/<name>.*   painted backgrounds
    OUT/.build/replies/*/<key>.json   what a language model replied, by what it was asked
    OUT/.build/candidates/NNNNN.arrow every scene made, with scores; NNNNN.json is its marker, written last
    OUT/.build/shards/<sha256>.arrow  the shards of the dataset, by content; OUT/data and OUT/concepts link to them
    OUT/.build/selected.json          the manifest of the dataset, written last

Every file is written whole or not at all (mycanvas/io/files.py).
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from builder.pipeline.changes import changes
from builder.pipeline.rows import Row
from builder.records import Rejected
from mycanvas.errors import StoreError
from mycanvas.io.files import UNFINISHED, os_errors, read_json, sha256_of, stored, write_json, write_stream
from mycanvas.io.ownership import check_ownership
from mycanvas.schema import dataset_schema

log = logging.getLogger("mycanvas")

BATCH_ROWS = 8
"""Rows of one Arrow record batch: what a reader of a memory-mapped shard touches for one row."""
CHANGES_SHOWN = 12
MODEL = "model "
"""What the name of a model begins with in a request; its value is the model's revision."""
BUILD_FILES = frozenset(f".build/{name}" for name in ("lock", "candidates", "cutouts", "sources.json", "config.json"))
"""The files that a build may have left before it wrote build.json, which says what it is a build of."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Marker:
    """A finished file of candidates. sha256: of the file. config: the digest of the request that it answers."""

    sha256: str
    rows: int
    config: str
    rejected: tuple[Rejected, ...]

    @property
    def retriable(self) -> bool:
        """Whether another run may give more rows."""
        return any(rejection.retriable for rejection in self.rejected)


class BuildFolder:
    """The folder of one build.

    Args:
        path: OUT. Use `claim` to build in it and `open` to read it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.hidden = path / ".build"

    @classmethod
    def open(cls, path: Path) -> BuildFolder:
        """A folder that holds a build, finished or not.

        Raises:
            StoreError: it does not.
        """
        folder = cls(path)
        if not os.path.isfile(folder._request):
            raise StoreError(f"{path} {_what_is_there(path)}")
        return folder

    @contextmanager
    def claim(self, request: Mapping[str, Any]) -> Iterator[None]:
        """Own the folder for one build: create it, or go on with the build in it.

        Args:
            request: everything that the candidates depend on, flat, of JSON's types.

        Raises:
            StoreError: the folder holds something else, was built from another request, is in use or cannot be written.
        """
        marker = self._request.relative_to(self.path).as_posix()
        check_ownership(self.path, marker, BUILD_FILES.__contains__)
        with os_errors(self.hidden):
            (self.hidden / "candidates").mkdir(parents=True, exist_ok=True)
            (self.hidden / "cutouts").mkdir(exist_ok=True)
            lock = (self.hidden / "lock").open("w")
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise StoreError(f"{self.path} is in use by another process; wait for it") from None
            self._refuse_another_request(request)
            for leftover in self.path.rglob(f".*{UNFINISHED}"):
                leftover.unlink()
            yield

    def _refuse_another_request(self, request: Mapping[str, Any]) -> None:
        # Until there is a plan, nothing depends on the request: whoever mends a mistake in it may go on here.
        planned = self.plan_file.is_file() or any((self.hidden / "candidates").glob("*.json"))
        if not (self._request.is_file() and planned):
            write_json(self._request, request)
            return
        before = stored(self._request)
        if before is None:
            raise StoreError(f"{self._request} is damaged: nobody knows what was built here; use another --output")
        found = changes(before, request)
        if found:
            more = [f"  … and {len(found) - CHANGES_SHOWN} more"] if len(found) > CHANGES_SHOWN else []
            lines = [f"{self.path} was built with another configuration", *found[:CHANGES_SHOWN], *more]
            raise StoreError("\n".join([*lines, "Use another --output, or the same configuration to resume."]))

    @property
    def _request(self) -> Path:
        return self.hidden / "build.json"

    @property
    def plan_file(self) -> Path:
        """One line for each planned scene."""
        return self.hidden / "plan.jsonl"

    @property
    def sources_file(self) -> Path:
        """What the build is made from."""
        return self.hidden / "sources.json"

    @property
    def selected_file(self) -> Path:
        """The manifest of the dataset: written after everything else of it."""
        return self.hidden / "selected.json"

    @property
    def shards(self) -> Path:
        """The folder of the dataset's shards, by content; earlier selections' stay for programs that loaded them."""
        return self.hidden / "shards"

    def shard_file(self, digest: str) -> Path:
        """The shard whose sha256 this is."""
        return self.shards / f"{digest}.arrow"

    @property
    def config_file(self) -> Path:
        """The configuration as it was last given, selection included."""
        return self.hidden / "config.json"

    @property
    def replies(self) -> Path:
        """The folder of what a language model replied; there is none where none was asked."""
        return self.hidden / "replies"

    def request(self) -> dict[str, Any]:
        """What the build was asked to do."""
        return dict(read_json(self._request))

    def revisions(self) -> dict[str, str]:
        """The revision of each model that the build runs, by the model's name in its configuration."""
        return {
            name.removeprefix(MODEL): str(value) for name, value in self.request().items() if name.startswith(MODEL)
        }

    def plan(self) -> list[dict[str, Any]]:
        """The planned scenes, in order; empty before there is a plan.

        Raises:
            StoreError: it is damaged.
        """
        if not self.plan_file.is_file():
            return []
        try:
            lines = [json.loads(line) for line in self.plan_file.read_text(encoding="utf-8").splitlines()]
        except (OSError, ValueError):
            lines = [None]
        if not all(isinstance(line, dict) and {"id", "num_objects"} <= line.keys() for line in lines):
            raise StoreError(f"{self.plan_file} is damaged; run the same `mycanvas build` again to write it anew")
        return lines

    def cutout_file(self, key: str, kind: str) -> Path:
        """A file of a cut-out: "json" (its marker), "cutout.npy", "mask.png" or "photo.jpg"."""
        return self.hidden / "cutouts" / f"{key}.{kind}"

    def painted_file(self, name: str, kind: str) -> Path:
        """A file of a painted background: "json" (its geometry and its marker) or "png"."""
        return self.hidden / "backgrounds" / f"{name}.{kind}"

    def candidate_file(self, shard: int) -> Path:
        """The scenes of one shard of the plan."""
        return self.hidden / "candidates" / f"{shard:05d}.arrow"

    def marker(self, shard: int, config: str | None = None) -> Marker | None:
        """The marker of a shard whose file is there and is what the marker says; else None.

        Args:
            shard: its number.
            config: the digest of the configuration that it must answer, if it matters.
        """
        file = self.candidate_file(shard)
        values = stored(file.with_suffix(".json"))
        if values is None or not file.is_file():
            return None
        if values["sha256"] != sha256_of(file) or config not in {None, values["config"]}:
            return None
        rejected = tuple(Rejected(**rejection) for rejection in values["rejected"])
        return Marker(sha256=values["sha256"], rows=values["rows"], config=values["config"], rejected=rejected)

    def markers(self) -> Iterator[tuple[int, Marker]]:
        """Each finished shard with its marker, in order.

        Raises:
            StoreError: a file is not what its marker says.
        """
        for path in sorted((self.hidden / "candidates").glob("*.json")):
            marker = self.marker(int(path.stem))
            if marker is None:
                file = path.with_suffix(".arrow")
                raise StoreError(f"{file} is damaged or missing; run the same `mycanvas build` again to remake it")
            yield int(path.stem), marker

    def write_candidates(self, shard: int, rows: Sequence[Row], rejected: Sequence[Rejected], config: str) -> Marker:
        """Write one shard's scenes, then its marker."""
        file = self.candidate_file(shard)
        file.with_suffix(".json").unlink(missing_ok=True)
        write_stream(file, candidate_schema(), batches(rows, candidate_schema()))
        marker = Marker(sha256=sha256_of(file), rows=len(rows), config=config, rejected=tuple(rejected))
        write_json(file.with_suffix(".json"), asdict(marker))
        return marker

    def candidates(self, shard: int, columns: Sequence[str] | None = None) -> Iterator[Row]:
        """The rows of a finished shard; only `columns` of them, where given."""
        with pa.memory_map(str(self.candidate_file(shard))) as file, pa.ipc.open_stream(file) as stream:
            for batch in stream:
                yield from (batch.select(list(columns)) if columns else batch).to_pylist()


def candidate_schema() -> pa.Schema:
    """The dataset's columns, and the fingerprint that select compares."""
    return dataset_schema().append(pa.field("fingerprint", pa.uint64()))


def batches(rows: Iterable[Row], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """Rows in record batches of BATCH_ROWS."""
    held: list[Row] = []
    for row in rows:
        held.append(row)
        if len(held) == BATCH_ROWS:
            yield pa.RecordBatch.from_pylist(held, schema=schema)
            held = []
    if held:
        yield pa.RecordBatch.from_pylist(held, schema=schema)


def _what_is_there(path: Path) -> str:
    """What a folder is that should hold a build, and what to do."""
    if not os.path.exists(path):
        return "does not exist; give the folder that `mycanvas build` or `mycanvas demo` wrote"
    if not os.path.isdir(path):
        return "is a file; give the folder that `mycanvas build` or `mycanvas demo` wrote"
    if any((path / "data").glob("*-of-*.*")):
        return "is a dataset without its .build folder, which holds every scene made; give the folder that has it"
    return f"holds no build; make one with: mycanvas build --concepts DIR --output {shlex.quote(str(path))}"
