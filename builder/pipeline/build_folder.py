"""The files of a build folder: their paths, the plan, the candidates and their markers.

    OUT/README.md                     the card; OUT/plots/*.png are its plots
    OUT/data/<split>-NNNNN-of-NNNNN.arrow, OUT/concepts/train-NNNNN-of-NNNNN.arrow
    OUT/.build/build.json             the request: everything that the scenes depend on; another request is refused
    OUT/.build/plan/NNNNN.arrow       the planned scenes, step by step; NNNNN.json is the marker of a step, written last
    OUT/.build/config.json            the whole configuration of the last build
    OUT/.build/sources.json           each photo with its cut-out, and the backgrounds
    OUT/.build/cutouts/<key>.*        cut-outs, named by the photo's content and the segmenter's parameters
    OUT/.build/backgrounds/<name>.*   painted backgrounds
    OUT/.build/reviews/<sha256>.*     people's decisions about cut-outs, named by the photo's content, and their masks
    OUT/.build/replies/*/<key>.json   replies of a language model, named by the question
    OUT/.build/candidates/NNNNN.arrow every generated scene; NNNNN.scores.arrow has the columns that select reads;
                                      NNNNN.json is their marker, written last
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
from builder.pipeline.plan import Plan, marker_of
from builder.pipeline.rows import SCORE_COLUMNS, Row, batches, candidate_schema, score_schema, with_every_score
from builder.pipeline.source_photos import Sources
from builder.pipeline.stored_records import Marker
from builder.records import Rejected
from mycanvas.errors import StoreError
from mycanvas.io.checked import REMAKE, read_checked, read_checked_or_none, write_checked
from mycanvas.io.files import has_sha256, os_errors, write_stream
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
    def plan_folder(self) -> Path:
        """The steps of the plan (plan.py)."""
        return self.hidden / "plan"

    def is_planned(self) -> bool:
        """Whether there is a plan, even if it is damaged."""
        return any(own_files(self.path, ".build/plan"))

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
        """Read the request that the folder was built from: that of the plan's last step, which build.json repeats.

        Raises:
            StoreError: it is damaged, or of another version of this program.
        """
        number = 0
        while step := marker_of(self.plan_folder, number):
            number, last = number + 1, step
        # If files of a later step are left, its marker may be lost, and build.json has its request.
        if number and not self.has_step(number):
            return dict(last.request)
        return read_checked(self.request_file, dict[str, Any])

    def has_step(self, step: int) -> bool:
        """Whether there is a file of a step of the plan from this number on, whole or not."""
        return any(int(match["step"]) >= step for _, match in own_files(self.path, ".build/plan"))

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

    def plan(self) -> Plan:
        """Read the plan; it has no steps before it is drawn.

        Raises:
            StoreError: it is damaged, or was drawn by an earlier version of this program.
        """
        self.check_version()
        plan = Plan.read(self.plan_folder)
        plan.check()
        return plan

    def check_version(self) -> None:
        """Refuse a build whose plan has the form of version 0.3.0 and earlier.

        Raises:
            StoreError: it has.
        """
        if (self.hidden / "plan.json").is_file():
            raise StoreError(
                f"{self.path} was built by an earlier version of mycanvas, whose plan this version cannot resume or "
                "select from; build again with another --output, or install the earlier version"
            )

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

    def score_file(self, shard: int) -> Path:
        """The path of the columns of a shard's scenes that are read to select; none is a picture."""
        return self.hidden / "candidates" / f"{shard:05d}.scores.arrow"

    def marker(self, shard: int, config: str | None = None, plan: str | None = None) -> Marker | None:
        """Read the marker of a shard; None if there is none or the shard's files do not match it.

        Args:
            shard: the shard's number.
            config: the digest of the settings that the shard must be made with; None: any.
            plan: the sha256 of the step of the plan that the shard must be made of; None: any.
        """
        marker = read_checked_or_none(self.candidate_file(shard).with_suffix(".json"), Marker)
        if marker is None or not self.has_candidates(shard, marker):
            return None
        return marker if config in {None, marker.config} and plan in {None, marker.plan} else None

    def _scored_marker(self, shard: int) -> Marker | None:
        """The marker of a shard whose score columns match it; its scenes are not compared."""
        marker = read_checked_or_none(self.candidate_file(shard).with_suffix(".json"), Marker)
        return marker if marker and has_sha256(self.score_file(shard), marker.scores) else None

    def has_candidates(self, shard: int, marker: Marker) -> bool:
        """Whether the files of a shard's marker are there and whole."""
        scenes, scores = self.candidate_file(shard), self.score_file(shard)
        return has_sha256(scores, marker.scores) and has_sha256(scenes, marker.sha256)

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
        """Read the number and the marker of each finished shard, in order; only the score columns are compared.

        Raises:
            StoreError: the score columns do not match their marker, or they are of an earlier version of this program.
        """
        self.check_version()
        found = own_files(self.path, ".build/candidates")
        for shard, path in sorted((int(match["shard"]), file) for file, match in found if file.suffix == ".json"):
            marker = self._scored_marker(shard)
            if marker is None:
                raise _damaged(path if read_checked_or_none(path, Marker) is None else self.score_file(shard))
            yield shard, marker

    def check_candidates(self, markers: Mapping[int, Marker]) -> None:
        """Compare the scenes of some shards with their markers.

        Raises:
            StoreError: they do not match.
        """
        for shard, marker in markers.items():
            if not has_sha256(self.candidate_file(shard), marker.sha256):
                raise _damaged(self.candidate_file(shard))

    def write_candidates(
        self, shard: int, rows: Sequence[Row], rejected: Sequence[Rejected], config: str, plan: str
    ) -> Marker:
        """Write one shard's scenes and their score columns, then its marker; `config`, `plan`: as for `marker`."""
        file, scores = self.candidate_file(shard), self.score_file(shard)
        file.with_suffix(".json").unlink(missing_ok=True)
        marker = Marker(  # of what this process wrote: another one may replace the files at any moment
            sha256=write_stream(file, candidate_schema(), batches(rows, candidate_schema())),
            rows=len(rows),
            config=config,
            rejected=tuple(rejected),
            scores=write_stream(
                scores, score_schema(), [pa.RecordBatch.from_pylist(list(rows), schema=score_schema())]
            ),
            plan=plan,
        )
        write_checked(file.with_suffix(".json"), asdict(marker))
        return marker

    def scores(self, shard: int) -> pa.Table:
        """Read the score columns of a finished shard."""
        with self.score_file(shard).open("rb") as file, pa.ipc.open_stream(file) as stream:
            return with_every_score(stream.read_all())

    def candidates(self, shard: int, columns: Sequence[str] | None = None) -> Iterator[Row]:
        """Read the rows of a finished shard; only `columns`, if given."""
        if columns and set(columns) <= set(SCORE_COLUMNS):
            yield from self.scores(shard).select(list(columns)).to_pylist()
            return
        with pa.memory_map(str(self.candidate_file(shard))) as file, pa.ipc.open_stream(file) as stream:
            for batch in stream:
                yield from (batch.select(list(columns)) if columns else batch).to_pylist()


def _damaged(file: Path) -> StoreError:
    return StoreError(f"{file} is damaged or missing; {REMAKE}")
