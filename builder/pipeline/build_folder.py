"""The files of a build folder: their paths, the plan, the candidates and their markers.

    OUT/README.md                     the card; OUT/plots/*.png are its plots
    OUT/data/<split>-NNNNN-of-NNNNN.arrow, OUT/concepts/train-NNNNN-of-NNNNN.arrow
    OUT/.build/build.json             the request: everything that the plan depends on; another request is refused
    OUT/.build/plan.json              the planned scenes, and the cut-outs that they were drawn with
    OUT/.build/config.json            the whole configuration of the last build
    OUT/.build/sources.json           each photo with its cut-out, and the backgrounds
    OUT/.build/cutouts/<key>.*        cut-outs, named by the photo's content and the segmenter's parameters
    OUT/.build/backgrounds/<name>.*   painted backgrounds
    OUT/.build/reviews/<sha256>.*     people's decisions about cut-outs, named by the photo's content, and their masks
    OUT/.build/replies/*/<key>.json   replies of a language model, named by the question
    OUT/.build/candidates/NNNNN.arrow every generated scene, with scores; NNNNN.json is its marker, written last
    OUT/.build/shards/<sha256>.arrow  the dataset's shards, named by content; OUT/data and OUT/concepts link to them
    OUT/.build/selected.json          the manifest of the dataset, with the last selection; replaced last
    OUT/.build/review.sqlite          ranks, flags and captions by people, and their answers in studies

Every file is written whole or not at all (mycanvas/io/files.py). JSON files have a format version and a checksum
(mycanvas/io/checked.py); markers hold the checksums of the files that they belong to.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa

from builder.pipeline.no_build import reason_and_remedy
from builder.pipeline.own_files import LOCK, MARKER, may_be_left_first, own_files
from builder.pipeline.rows import Row, batches, candidate_schema
from builder.pipeline.source_photos import Sources
from builder.pipeline.stored_records import Marker, Plan, PlannedScene
from builder.records import Rejected
from mycanvas.errors import StoreError
from mycanvas.io.checked import REMAKE, digest, read_checked, read_checked_or_none, write_checked
from mycanvas.io.files import has_sha256, os_errors, sha256_of, write_stream
from mycanvas.io.ownership import check_ownership, locked
from mycanvas.ratings.store import FILE_NAME

MODEL = "model "
"""Prefix of a model's name in a request; the value is the model's revision."""


class BuildFolder:
    """The folder of one build.

    Args:
        path: OUT. Use `claim` (claim.py) before writing to it, and `open` to read a build.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.hidden = path / ".build"

    @classmethod
    def open(cls, path: Path) -> BuildFolder:
        """Open a folder that holds a build, finished or not.

        Raises:
            StoreError: the folder holds no build.
            InputError: it cannot be read.
        """
        folder = cls(path)
        folder.check_build()
        return folder

    def check_build(self) -> None:
        """Refuse a folder without a build; raises as `open`."""
        with os_errors(self.request_file, "read"):
            found = self.request_file.is_file()
        if not found:
            raise StoreError(f"{self.path} {reason_and_remedy(self.path)}")

    @property
    def place(self) -> str:
        """Where the build is, for messages and commands: the folder, or the URL that it is a copy of (remote.py)."""
        return str(self.path)

    @property
    def request_file(self) -> Path:
        """Everything that the scenes depend on; this file identifies the folder as a build."""
        return self.path / MARKER

    @property
    def plan_file(self) -> Path:
        """The planned scenes."""
        return self.hidden / "plan.json"

    @property
    def sources_file(self) -> Path:
        """The photos with their cut-outs, and the backgrounds."""
        return self.hidden / "sources.json"

    @property
    def selected_file(self) -> Path:
        """The manifest of the dataset: its shards and counts, written after all of its other files."""
        return self.hidden / "selected.json"

    @property
    def shards(self) -> Path:
        """The folder of the dataset's shards; those of earlier selections stay for programs that loaded them."""
        return self.hidden / "shards"

    def shard_file(self, digest: str) -> Path:
        """The path of the shard with this sha256."""
        return self.shards / f"{digest}.arrow"

    @property
    def config_file(self) -> Path:
        """The configuration of the last build; the thresholds of the last selection are in the manifest."""
        return self.hidden / "config.json"

    @property
    def reviews(self) -> Path:
        """The folder of people's decisions about the cut-outs; it exists only if there are some."""
        return self.hidden / "reviews"

    @property
    def replies(self) -> Path:
        """The folder of a language model's replies; it exists only if a model was asked."""
        return self.hidden / "replies"

    @property
    def review_file(self) -> Path:
        """The file of ranks, flags and captions by people (mycanvas/ratings/store.py)."""
        return self.hidden / FILE_NAME

    def request(self) -> dict[str, Any]:
        """Read the request that the folder was built from.

        Raises:
            StoreError: it is damaged, or of another version of this program.
        """
        return read_checked(self.request_file, dict[str, Any])

    def revisions(self) -> dict[str, str]:
        """Read the revision of each model of the build, by the model's name in the configuration."""
        return {
            name.removeprefix(MODEL): str(value) for name, value in self.request().items() if name.startswith(MODEL)
        }

    def check_ownership(self) -> bool:
        """Return whether the folder holds a build; refuse it if it holds foreign files and no build.

        Raises:
            StoreError: it holds something else.
            InputError: it cannot be read.
        """
        return check_ownership(self.path, MARKER, may_be_left_first)

    def locked(self, *, shared: bool = False, wait: bool = False) -> AbstractContextManager[None]:
        """Hold the folder's lock, so that no other process changes it; shared: only the parts of one build do.

        Raises:
            InUseError: another process holds it, and this one does not wait.
            StoreError: the folder cannot be written.
        """
        with os_errors(self.hidden):
            self.hidden.mkdir(parents=True, exist_ok=True)
        return locked(self.hidden / LOCK, self.path, shared=shared, wait=wait)

    def plan(self) -> tuple[PlannedScene, ...]:
        """Read the planned scenes, in order; empty before there is a plan.

        Raises:
            StoreError: the plan is damaged.
        """
        return read_checked(self.plan_file, Plan).scenes if self.plan_file.is_file() else ()

    def is_planned_for(self, request: Mapping[str, Any]) -> bool:
        """Whether the plan was drawn for a request; build.json is not read, as it may be damaged."""
        plan = read_checked_or_none(self.plan_file, Plan)
        return plan is not None and plan.request == digest(request)

    def sources(self) -> Sources:
        """Read the photos with their cut-outs, and the backgrounds.

        Raises:
            StoreError: the file is missing or damaged.
        """
        return read_checked(self.sources_file, Sources)

    def cutout_file(self, key: str, kind: str) -> Path:
        """The path of a file of a cut-out; kind: "json" (its marker), "cutout.npy", "mask.png" or "photo.jpg"."""
        return self.hidden / "cutouts" / f"{key}.{kind}"

    def painted_file(self, name: str, kind: str) -> Path:
        """The path of a file of a painted background; kind: "json" (its marker) or "npy" (its pixels)."""
        return self.hidden / "backgrounds" / f"{name}.{kind}"

    def candidate_file(self, shard: int) -> Path:
        """The path of the scenes of one shard of the plan."""
        return self.hidden / "candidates" / f"{shard:05d}.arrow"

    def marker(self, shard: int, config: str | None = None) -> Marker | None:
        """Read the marker of a shard; None if there is none or the shard's file does not match it.

        Args:
            shard: the shard's number.
            config: the digest of the configuration that the shard must be made with; None: any.
        """
        file = self.candidate_file(shard)
        marker = read_checked_or_none(file.with_suffix(".json"), Marker)
        if marker is None or not self.has_candidates(shard, marker):
            return None
        return marker if config in {None, marker.config} else None

    def has_candidates(self, shard: int, marker: Marker) -> bool:
        """Whether the scenes of a shard's marker are there and whole."""
        return has_sha256(self.candidate_file(shard), marker.sha256)

    def made_shards(self) -> set[int]:
        """The numbers of the shards that have a marker."""
        found = own_files(self.path, ".build/candidates")
        return {int(match["shard"]) for file, match in found if file.suffix == ".json"}

    def refresh(self) -> None:
        """Learn what other machines have made; nothing to do where they share the folder."""

    def publish(self) -> None:
        """Take the dataset to its readers; nothing to do where they read the folder."""

    def has_markers(self) -> bool:
        """Whether a shard is finished."""
        return bool(self.made_shards())

    def markers(self) -> Iterator[tuple[int, Marker]]:
        """Read the number and the marker of each finished shard, in order.

        Raises:
            StoreError: a file does not match its marker.
        """
        for path, match in own_files(self.path, ".build/candidates"):
            if path.suffix != ".json":
                continue
            marker = self.marker(int(match["shard"]))
            if marker is None:
                file = path if read_checked_or_none(path, Marker) is None else path.with_suffix(".arrow")
                raise StoreError(f"{file} is damaged or missing; {REMAKE}")
            yield int(match["shard"]), marker

    def write_candidates(self, shard: int, rows: Sequence[Row], rejected: Sequence[Rejected], config: str) -> Marker:
        """Write one shard's scenes, then its marker."""
        file = self.candidate_file(shard)
        file.with_suffix(".json").unlink(missing_ok=True)
        write_stream(file, candidate_schema(), batches(rows, candidate_schema()))
        marker = Marker(sha256=sha256_of(file), rows=len(rows), config=config, rejected=tuple(rejected))
        write_checked(file.with_suffix(".json"), asdict(marker))
        return marker

    def candidates(self, shard: int, columns: Sequence[str] | None = None) -> Iterator[Row]:
        """Read the rows of a finished shard; only `columns`, if given."""
        with pa.memory_map(str(self.candidate_file(shard))) as file, pa.ipc.open_stream(file) as stream:
            for batch in stream:
                yield from (batch.select(list(columns)) if columns else batch).to_pylist()
