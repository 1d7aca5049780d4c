"""The plan of a build: a list of steps that is only appended to. Scenes are read from it, and never drawn again.

A step is two files, .build/plan/NNNNN.arrow with the scenes and NNNNN.json, its marker, which is written last. Scenes
are read batch by batch, so that a plan of a million takes no more memory than one of a thousand.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from itertools import accumulate, islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from builder.pipeline.stored_records import PlanStep
from builder.records import BackgroundRef, Concept, PhotoFile, Sample, Size
from mycanvas.errors import StoreError
from mycanvas.io.checked import REMAKE, read_checked, read_checked_or_none, write_checked
from mycanvas.io.files import atomic, has_sha256, written_sha256

BATCH = 1024
"""Scenes of one record batch: a reader of one shard decodes one or two batches."""

SCHEMA = pa.schema(
    {
        "id": pa.string(),
        "concepts": pa.list_(pa.string()),
        "photos": pa.list_(pa.string()),
        "cutouts": pa.list_(pa.string()),
        "qualities": pa.list_(pa.float64()),
        "num_objects": pa.int8(),
        "background": pa.string(),
        "scene": pa.string(),
        "phrase": pa.string(),
        "sizes": pa.list_(pa.float64()),
        "width": pa.int32(),
        "height": pa.int32(),
    }
)
"""background: the id of its photo, or "scene:variant". cutouts, qualities: of the photos' cut-outs."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PlannedScene:
    """A scene of the plan with the files of its cut-outs, by name, and their qualities."""

    sample: Sample
    cutouts: tuple[str, ...]
    qualities: tuple[float, ...]

    def attempt(self, number: int) -> PlannedScene:
        """The same scene, drawn again: every draw depends on its id, which gets the number of the attempt, from 2."""
        return replace(self, sample=replace(self.sample, id=f"{scene_of(self.sample.id)}-{number}"))


def scene_of(candidate_id: str) -> str:
    """The id of the planned scene of an attempt: "4f1c2a9b01-00007" of "4f1c2a9b01-00007-2", and of itself."""
    return "-".join(candidate_id.split("-", 2)[:2])


@dataclass(frozen=True, kw_only=True, slots=True)
class PlannedShard:
    """Consecutive scenes of one step that are made together.

    number: of the shard, in the whole plan. plan: the sha256 of the step's scenes. start: its first scene in the step.
    """

    number: int
    step: int
    plan: str
    start: int
    count: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """The steps of a plan, the first ones that are whole. folder: of their files."""

    folder: Path
    steps: tuple[PlanStep, ...]

    @classmethod
    def read(cls, folder: Path) -> Plan:
        """Read the steps up to the first that is missing or damaged."""
        steps: list[PlanStep] = []
        while (step := marker_of(folder, len(steps))) and has_sha256(scenes_file(folder, len(steps)), step.sha256):
            steps.append(step)
        return cls(folder=folder, steps=tuple(steps))

    def check(self) -> None:
        """Check that no step is lost.

        Raises:
            StoreError: a file is damaged or missing.
        """
        number = len(self.steps)
        marker, scenes = marker_file(self.folder, number), scenes_file(self.folder, number)
        if marker.is_file():
            read_checked(marker, PlanStep)
            raise StoreError(f"{scenes} is {'damaged' if scenes.is_file() else 'missing'}; {REMAKE}")

    @property
    def rows(self) -> int:
        """The number of scenes."""
        return sum(step.rows for step in self.steps)

    def cutouts(self) -> dict[str, str]:
        """The names of the files of all cut-outs that the plan was drawn with, by photo."""
        return {photo: key for step in self.steps for photo, key in step.cutouts.items()}

    def shards(self) -> list[PlannedShard]:
        """All shards, in order."""
        return list(_numbered(self.steps))

    def write_scenes(
        self, step: PlanStep, scenes: Iterable[PlannedScene], check: Callable[[PlanStep], None] = lambda _: None
    ) -> PlanStep:
        """Write the scenes of a step that follows these.

        Args:
            step: its `sha256` and `rows` do not count.
            scenes: of the step.
            check: raises an error if the step must not have these scenes; then an earlier file stays as it is.

        Returns:
            The step with their sum and number.

        Raises:
            StoreError: the file cannot be written, or as `check`.
        """
        rows, left = 0, iter(scenes)
        options = pa.ipc.IpcWriteOptions(compression="lz4")
        with atomic(scenes_file(self.folder, len(self.steps))) as file:
            with pa.ipc.new_file(file, SCHEMA, options=options) as writer:
                while held := list(islice(left, BATCH)):
                    writer.write_batch(_as_batch(held))
                    rows += len(held)
            drawn = replace(step, sha256=written_sha256(file), rows=rows)
            check(drawn)
        return drawn

    def write_marker(self, step: PlanStep) -> None:
        """Write the marker of a step whose scenes are written; only now it counts.

        Raises:
            StoreError: the file cannot be written.
        """
        write_checked(marker_file(self.folder, len(self.steps)), asdict(step))

    def columns(self, *names: str) -> Iterator[pa.RecordBatch]:
        """Read some columns of all scenes, batch by batch."""
        for number in range(len(self.steps)):
            with _open(self.folder, number, names) as reader:
                for batch in range(reader.num_record_batches):
                    yield reader.get_batch(batch)

    def compositions(self) -> dict[tuple[str, ...], int]:
        """The number of scenes of each composition, in the order in which they were planned first."""
        found: Counter[str] = Counter()
        for batch in self.columns("concepts"):
            counts = pc.value_counts(pc.binary_join(batch.column("concepts"), "+"))
            found.update({each["values"]: each["counts"] for each in counts.to_pylist()})
        return {tuple(name.split("+")): count for name, count in found.items()}

    def painted(self) -> list[BackgroundRef]:
        """All backgrounds of scenes that are no photos, sorted, without their phrases."""
        found = {name for batch in self.columns("background") for name in batch.column("background").to_pylist()}
        return [_painted(name) for name in sorted(found) if not _is_photo(name)]


def marker_file(folder: Path, number: int) -> Path:
    """The path of the marker of a step."""
    return folder / f"{number:05d}.json"


def scenes_file(folder: Path, number: int) -> Path:
    """The path of the scenes of a step."""
    return folder / f"{number:05d}.arrow"


def step_of(folder: Path, number: int) -> PlanStep:
    """Read the marker of a step; the last ones are kept, as a worker reads the same one for each shard.

    Raises:
        StoreError: it is damaged or missing.
    """
    return _step(marker_file(folder, number), _version(marker_file(folder, number)))


def marker_of(folder: Path, number: int) -> PlanStep | None:
    """Read the marker of a step; None where it is missing or damaged."""
    return read_checked_or_none(marker_file(folder, number), PlanStep)


def read_shard(folder: Path, shard: PlannedShard, photos: Mapping[str, PhotoFile]) -> list[PlannedScene]:
    """Read the scenes of a shard.

    Args:
        folder: of the plan.
        shard: one of its shards.
        photos: of backgrounds, by id.

    Raises:
        StoreError: the plan is damaged.
    """
    request = step_of(folder, shard.step).request
    first, last = shard.start // BATCH, (shard.start + shard.count - 1) // BATCH
    version = _version(scenes_file(folder, shard.step))
    batches = [_batch(folder, shard.step, batch, version) for batch in range(first, last + 1)]
    rows = pa.Table.from_batches(batches).slice(shard.start - first * BATCH, shard.count).to_pylist()
    return [_scene(row, request, photos) for row in rows]


def _as_batch(scenes: Sequence[PlannedScene]) -> pa.RecordBatch:
    samples = [scene.sample for scene in scenes]
    columns: dict[str, list[Any]] = {
        "id": [sample.id for sample in samples],
        "concepts": [[concept.name for concept in sample.concepts] for sample in samples],
        "photos": [sample.photo_ids for sample in samples],
        "cutouts": [scene.cutouts for scene in scenes],
        "qualities": [scene.qualities for scene in scenes],
        "num_objects": [len(sample.concepts) for sample in samples],
        "background": [_background_id(sample.background) for sample in samples],
        "scene": [sample.background.scene for sample in samples],
        "phrase": [sample.background.phrase for sample in samples],
        "sizes": [sample.sizes for sample in samples],
        "width": [sample.picture_size.width for sample in samples],
        "height": [sample.picture_size.height for sample in samples],
    }
    return pa.RecordBatch.from_arrays([pa.array(columns[field.name], field.type) for field in SCHEMA], schema=SCHEMA)


def _background_id(background: BackgroundRef) -> str:
    return background.photo.id if background.photo else f"{background.scene}:{background.variant}"


def _is_photo(name: str) -> bool:
    """Whether the id of a background is that of a photo."""
    return "/" in name


def _painted(name: str, phrase: str = "") -> BackgroundRef:
    scene, _, variant = name.rpartition(":")
    return BackgroundRef(scene=scene, phrase=phrase, variant=int(variant))


def _scene(row: Mapping[str, Any], request: Mapping[str, Any], photos: Mapping[str, PhotoFile]) -> PlannedScene:
    name = row["background"]
    if _is_photo(name):
        _, _, horizon, ground = request[f"background {name}"]
        background = BackgroundRef(
            scene=row["scene"], phrase=row["phrase"], photo=photos[name], horizon=horizon, ground=ground
        )
    else:
        background = _painted(name, row["phrase"])
    sample = Sample(
        id=row["id"],
        concepts=tuple(_concept(name, request) for name in row["concepts"]),
        photo_ids=tuple(row["photos"]),
        background=background,
        sizes=None if row["sizes"] is None else tuple(row["sizes"]),
        picture_size=Size(row["width"], row["height"]),
    )
    return PlannedScene(sample=sample, cutouts=tuple(row["cutouts"]), qualities=tuple(row["qualities"]))


def _concept(name: str, request: Mapping[str, Any]) -> Concept:
    """A concept without its photos, which the stages after cutting out do not read."""
    token, class_noun, height_cm = request[f"concept {name}"]
    return Concept(name=name, token=token, class_noun=class_noun, height_cm=height_cm, photos=())


def _numbered(steps: Sequence[PlanStep]) -> Iterator[PlannedShard]:
    counts = [-(-step.rows // step.shard_size) for step in steps]
    for number, (step, first) in enumerate(zip(steps, accumulate(counts, initial=0), strict=False)):
        for index in range(counts[number]):
            start = index * step.shard_size
            count = min(step.shard_size, step.rows - start)
            yield PlannedShard(number=first + index, step=number, plan=step.sha256, start=start, count=count)


def _version(file: Path) -> tuple[int, int]:
    """Facts that change when a file is replaced; zeros where it is missing."""
    if not file.is_file():
        return 0, 0
    facts = file.stat()
    return facts.st_ino, facts.st_mtime_ns


@lru_cache(maxsize=8)
def _step(file: Path, _version: tuple[int, int]) -> PlanStep:
    return read_checked(file, PlanStep)


@lru_cache(maxsize=2)
def _batch(folder: Path, step: int, batch: int, _version: tuple[int, int]) -> pa.RecordBatch:
    with _open(folder, step) as reader:
        return reader.get_batch(batch)


def _open(folder: Path, step: int, columns: Sequence[str] = ()) -> pa.ipc.RecordBatchFileReader:
    file = scenes_file(folder, step)
    included = [SCHEMA.get_field_index(name) for name in columns]
    options = pa.ipc.IpcReadOptions(included_fields=included or None)
    try:
        return pa.ipc.open_file(pa.memory_map(str(file)), options=options)
    except (OSError, pa.ArrowInvalid):
        raise StoreError(f"{file} is damaged or missing; {REMAKE}") from None
