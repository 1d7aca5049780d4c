"""All reading and writing of a build: who owns the folder, its cut-outs, its candidates, the dataset in it.

    OUT/README.md                     the card
    OUT/data/<split>-NNNNN-of-NNNNN.arrow, OUT/concepts/train-NNNNN-of-NNNNN.arrow
    OUT/.build/build.json             what the build was asked to do; another request is refused
    OUT/.build/plan.jsonl             one line for each planned scene
    OUT/.build/config.json            the whole configuration, with what was last selected
    OUT/.build/sources.json           what became of each photo, and the backgrounds
    OUT/.build/cutouts/<key>.*        cut-outs, by the photo's content and the segmenter's parameters
    OUT/.build/backgrounds/<name>.*   painted backgrounds
    OUT/.build/candidates/NNNNN.arrow every scene made, with scores; NNNNN.json is its marker, written last
    OUT/.build/selected.json          the marker of OUT/data, written last

Every file is written whole or not at all (builder/files.py).
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import logging
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa

from builder.errors import StoreError
from builder.files import UNFINISHED, read_json, sha256_of, sync_folder, told, write_json, write_stream, write_text
from builder.records import Rejected
from builder.rows import Row
from mycanvas.schema import SPLITS, concepts_schema, dataset_schema

log = logging.getLogger("mycanvas")

BATCH_ROWS = 8
"""Rows of one Arrow record batch: what a reader of a memory-mapped shard touches for one row."""
SHARD_ROWS = 512
"""Most rows of one file of the dataset: about 200 MB at 1024 x 1024."""
CHANGES_SHOWN = 12


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
        if not folder._request.is_file():
            raise StoreError(f"{path} holds no build; make one with: mycanvas build --concepts DIR --output {path}")
        return folder

    @contextmanager
    def claim(self, request: Mapping[str, Any]) -> Iterator[None]:
        """Own the folder for one build: create it, or go on with the build in it.

        Args:
            request: everything that the candidates depend on, flat, of JSON's types.

        Raises:
            StoreError: the folder holds something else, was built from another request, is in use or cannot be written.
        """
        self._refuse_strangers()
        with told(self.hidden):
            (self.hidden / "candidates").mkdir(parents=True, exist_ok=True)
            (self.hidden / "cutouts").mkdir(exist_ok=True)
            lock = (self.hidden / "lock").open("w")
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise StoreError(f"{self.path} is being built by another process; wait for it") from None
            self._refuse_another_request(request)
            for leftover in self.path.rglob(f".*{UNFINISHED}"):
                leftover.unlink()
            yield

    def _refuse_strangers(self) -> None:
        if self.path.exists() and not self.path.is_dir():
            raise StoreError(f"{self.path} is a file; give --output a folder")
        if self.hidden.is_dir() or not self.path.exists():
            return
        with told(self.path):
            others = sorted(entry.name for entry in self.path.iterdir())
        if others:
            shown = ", ".join(others[:3]) + (", …" if len(others) > 3 else "")
            raise StoreError(f"{self.path} holds something else ({shown}); give --output a new or empty folder")

    def _refuse_another_request(self, request: Mapping[str, Any]) -> None:
        if not self._request.is_file():
            write_json(self._request, request)
            return
        before = read_json(self._request)
        changes = [
            f"  {name:<12}  was {_shown(before, name)}, now {_shown(request, name)}"
            for name in sorted({*before, *request})
            if before.get(name) != request.get(name)
        ]
        if changes:
            more = [f"  … and {len(changes) - CHANGES_SHOWN} more"] if len(changes) > CHANGES_SHOWN else []
            lines = [f"{self.path} was built with another configuration", *changes[:CHANGES_SHOWN], *more]
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
        """The marker of the dataset: written after everything else of it."""
        return self.hidden / "selected.json"

    @property
    def config_file(self) -> Path:
        """The configuration as it was last given, selection included."""
        return self.hidden / "config.json"

    def request(self) -> dict[str, Any]:
        """What the build was asked to do."""
        return dict(read_json(self._request))

    def plan(self) -> list[dict[str, Any]]:
        """The planned scenes, in order; empty before there is a plan."""
        if not self.plan_file.is_file():
            return []
        return [json.loads(line) for line in self.plan_file.read_text(encoding="utf-8").splitlines()]

    def cutout_file(self, key: str, kind: str) -> Path:
        """A file of a cut-out: "json" (its marker), "cutout.npy", "mask.png" or "photo.jpg"."""
        return self.hidden / "cutouts" / f"{key}.{kind}"

    def painted_file(self, name: str, kind: str) -> Path:
        """A file of a painted background: "json" (its geometry and its marker) or "png"."""
        return self.hidden / "backgrounds" / f"{name}.{kind}"

    def candidate_file(self, shard: int) -> Path:
        """The scenes of one shard of the plan."""
        return self.hidden / "candidates" / f"{shard:05d}.arrow"

    def marker(self, shard: int) -> Marker | None:
        """The marker of a shard whose file is there and is what the marker says; else None."""
        path, file = self.candidate_file(shard).with_suffix(".json"), self.candidate_file(shard)
        if not (path.is_file() and file.is_file()):
            return None
        values = read_json(path)
        if values["sha256"] != sha256_of(file):
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
        write_stream(file, candidate_schema(), _batches(rows, candidate_schema()))
        marker = Marker(sha256=sha256_of(file), rows=len(rows), config=config, rejected=tuple(rejected))
        write_json(file.with_suffix(".json"), asdict(marker))
        return marker

    def candidates(self, shard: int, columns: Sequence[str] | None = None) -> Iterator[Row]:
        """The rows of a finished shard; only `columns` of them, where given."""
        with pa.memory_map(str(self.candidate_file(shard))) as file, pa.ipc.open_stream(file) as stream:
            for batch in stream:
                yield from (batch.select(list(columns)) if columns else batch).to_pylist()

    def write_concepts(self, rows: Iterable[Row]) -> None:
        """Write the source photos with their masks, as the config `concepts`."""
        file = self.path / "concepts" / "train-00000-of-00001.arrow"
        write_stream(file, concepts_schema(), _batches(rows, concepts_schema()))

    def write_splits(self, kept: Sequence[tuple[int, Mapping[str, str]]]) -> dict[str, list[Path]]:
        """Copy the kept scenes' encoded bytes into the dataset's shards, in the order of the plan.

        Args:
            kept: for each shard of candidates, in order, the split of each id that is kept.

        Returns:
            The files of each split that has any, in place.
        """
        self.selected_file.unlink(missing_ok=True)
        staging = self.hidden / "staging"
        with told(staging):
            shutil.rmtree(staging, ignore_errors=True)
            staging.mkdir()
        files: dict[str, list[Path]] = {}
        for split in SPLITS:
            total = sum(name == split for _, ids in kept for name in ids.values())
            count = -(-total // SHARD_ROWS)
            rows = self._kept_batches(kept, split)
            for index in range(count):
                file = staging / f"{split}-{index:05d}-of-{count:05d}.arrow"
                write_stream(file, dataset_schema(), _take(rows, min(SHARD_ROWS, total - index * SHARD_ROWS)))
                files.setdefault(split, []).append(self.path / "data" / file.name)
        self._replace_data(staging)
        return files

    def _kept_batches(self, kept: Sequence[tuple[int, Mapping[str, str]]], split: str) -> Iterator[pa.RecordBatch]:
        """A record batch of one row for each kept scene of a split: views of the candidates' bytes, nothing decoded."""
        columns = dataset_schema().names
        for shard, ids in kept:
            if split not in ids.values():
                continue
            with pa.memory_map(str(self.candidate_file(shard))) as file, pa.ipc.open_stream(file) as stream:
                for batch in stream:
                    for row, sample_id in enumerate(batch.column("id").to_pylist()):
                        if ids.get(sample_id) == split:
                            yield batch.select(columns).slice(row, 1)

    def data_files(self) -> list[Path]:
        """The dataset's shards: scenes, then source photos."""
        return sorted(self.path.glob("data/*.arrow")) + sorted(self.path.glob("concepts/*.arrow"))

    def write_card(self, text: str) -> None:
        """Write OUT/README.md. One that somebody has edited is kept beside it, as README.edited.md."""
        card, wrote = self.path / "README.md", self.hidden / "card.sha256"
        if card.is_file() and (not wrote.is_file() or wrote.read_text() != sha256_of(card)):
            log.warning("%s was edited; your version is now README.edited.md", card)
            card.rename(card.with_name("README.edited.md"))
        write_text(wrote, hashlib.sha256(text.encode()).hexdigest())
        write_text(card, text)

    def mark_selected(self, values: Mapping[str, Any]) -> None:
        """Write the dataset's marker: `values`, and the sha256 of each of its files."""
        files = {file.relative_to(self.path).as_posix(): sha256_of(file) for file in self.data_files()}
        write_json(self.selected_file, {**values, "files": files})

    def _replace_data(self, staging: Path) -> None:
        data = self.path / "data"
        with told(data):
            data.mkdir(exist_ok=True)
            for split in SPLITS:
                for old in data.glob(f"{split}-*-of-*.arrow"):
                    old.unlink()
            for new in sorted(staging.iterdir()):
                new.rename(data / new.name)
            staging.rmdir()
            sync_folder(data)


def candidate_schema() -> pa.Schema:
    """The dataset's columns, and the fingerprint that select compares."""
    return dataset_schema().append(pa.field("fingerprint", pa.uint64()))


def _batches(rows: Iterable[Row], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    held: list[Row] = []
    for row in rows:
        held.append(row)
        if len(held) == BATCH_ROWS:
            yield pa.RecordBatch.from_pylist(held, schema=schema)
            held = []
    if held:
        yield pa.RecordBatch.from_pylist(held, schema=schema)


def _take(rows: Iterator[pa.RecordBatch], count: int) -> Iterator[pa.RecordBatch]:
    """The next `count` one-row batches, joined into batches of the usual size."""
    while count > 0:
        joined = list(islice(rows, min(BATCH_ROWS, count)))
        count -= len(joined)
        yield pa.concat_batches(joined)


def _shown(values: Mapping[str, Any], name: str) -> str:
    if name not in values:
        return "absent"
    text = json.dumps(values[name], ensure_ascii=False)
    return text if len(text) <= 60 else text[:57] + "…"
