"""The candidates of a build as columns: read from the small files beside them, judged, and matched with the plan."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from builder.pipeline.annotations import Annotations
from builder.pipeline.build_folder import BuildFolder
from builder.pipeline.cutout_decisions import leaving
from builder.pipeline.plan import Plan, scene_of
from builder.pipeline.reviewed_cutouts import effective_scores, leaving_scenes
from builder.pipeline.rows import SCORE_COLUMNS, Row, score_schema
from builder.pipeline.source_photos import CutoutUse
from builder.pipeline.stored_records import Marker
from builder.records import Rejected
from builder.stages.select import Candidates, Judged
from builder.stages.select.candidates import numbered
from mycanvas.errors import StoreError
from mycanvas.io.messages import counted
from mycanvas.schema import SCORES, split_of

_JOINED = 16
"""Shards whose score columns are joined at a time."""
_SPLIT = np.array([""] + [split_of(count) for count in range(1, 6)])


@dataclass(frozen=True, kw_only=True, slots=True)
class Made:
    """All candidates of a build, in the order of the plan.

    table: their score columns. shards, steps: the numbers of the shard of candidates and of the plan's step of each.
    rejected: all rejections. planned: the number of planned scenes of each split.
    """

    table: pa.Table
    shards: NDArray[np.int64]
    steps: NDArray[np.int64]
    rejected: tuple[Rejected, ...]
    planned: Mapping[str, int]

    def ids(self) -> list[str]:
        """Their ids."""
        ids: list[str] = self.table.column("id").to_pylist()
        return ids

    def sizes(self) -> NDArray[np.int32]:
        """Their numbers of objects."""
        found: NDArray[np.int32] = self.table.column("num_objects").to_numpy()
        return found

    def splits(self) -> NDArray[np.str_]:
        """Their splits."""
        found: NDArray[np.str_] = _SPLIT[self.sizes()]
        return found

    def attempts(self) -> int:
        """The number of candidates and rejections that were not the first attempt at their scenes."""
        return sum(scene_of(name) != name for name in (*self.ids(), *(each.sample_id for each in self.rejected)))

    def rows(self, photos: set[str]) -> dict[int, Row]:
        """The candidates that show one of these photos, by their numbers."""
        if not photos:
            return {}
        shown = self.table.column("source_images").combine_chunks()
        hits = pc.is_in(shown.flatten(), pa.array(sorted(photos), pa.string()))
        numbers = np.unique(pc.list_parent_indices(shown).filter(hits).to_numpy())
        return dict(zip(numbers.tolist(), self.table.take(numbers).to_pylist(), strict=True))


def read_made(folder: BuildFolder, plan: Plan, markers: Mapping[int, Marker]) -> Made:
    """Read all candidates of a build.

    Args:
        folder: the build.
        plan: its plan.
        markers: of all shards of candidates.

    Raises:
        StoreError: scenes of the plan are not made yet, or the plan lacks some that are.
    """
    shards = plan.shards()
    _check_all_made(folder, plan, markers)
    tables = [score_schema().empty_table(), *_joined(folder, [shard.number for shard in shards])]
    counts = [markers[shard.number].rows for shard in shards]
    sizes: Counter[int] = Counter()
    for batch in plan.columns("num_objects"):
        sizes.update(batch.column("num_objects").to_pylist())
    planned: Counter[str] = Counter()
    for size, count in sizes.items():
        planned[split_of(size)] += count
    return Made(
        table=pa.concat_tables(tables),
        shards=np.repeat(np.array([shard.number for shard in shards], np.int64), counts),
        steps=np.repeat(np.array([shard.step for shard in shards], np.int64), counts),
        rejected=tuple(each for shard in shards for each in markers[shard.number].rejected),
        planned=planned,
    )


def _joined(folder: BuildFolder, shards: Sequence[int]) -> Iterator[pa.Table]:
    """The score columns of shards, several joined to one table, as the buffers of each take more than its few rows."""
    for start in range(0, len(shards), _JOINED):
        tables = [folder.scores(shard).select(SCORE_COLUMNS) for shard in shards[start : start + _JOINED]]
        yield pa.concat_tables(tables).combine_chunks()


def judge(made: Made, photos: Sequence[CutoutUse], annotated: Annotations) -> Candidates:
    """Collect everything by which candidates are selected.

    Args:
        made: all candidates of a build.
        photos: of the build, with the present decisions about cut-outs.
        annotated: people's ranks and flags.
    """
    ids = made.ids()
    by_id = {photo.id: photo for photo in photos}
    numbers = {ids[index]: index for index in range(len(ids))} if annotated.ranks or annotated.flags else {}
    ranks = np.zeros(len(ids), np.int8)
    for name, rank in annotated.ranks.items():
        if name in numbers:
            ranks[numbers[name]] = rank
    shown = made.rows({photo.id for photo in photos if photo.in_plan and leaving(photo)})
    refused = leaving_scenes([*shown.values()], photos)
    return Candidates(
        ids=ids,
        compositions=numbered(made.table.column("composition").to_pylist()),
        scenes=numbered(map(scene_of, ids)),
        steps=made.steps,
        scores=_scores(made, by_id),
        fingerprints=made.table.column("fingerprint").to_numpy(),
        ranks=ranks,
        flags={numbers[name]: reason for name, reason in annotated.flags.items() if name in numbers},
        refused={index: refused[row["id"]] for index, row in shown.items()},
    )


def _scores(made: Made, photos: Mapping[str, CutoutUse]) -> dict[str, NDArray[np.float64]]:
    """The scores by which candidates are selected; that of cut-outs depends on what people accepted."""
    stored = made.table.column("scores").combine_chunks()
    names = [field.name for field in stored.type if field.name in SCORES]
    scores = {name: stored.field(name).to_numpy(zero_copy_only=False).astype(np.float64) for name in names}
    for index, row in made.rows({name for name, photo in photos.items() if photo.review == "use"}).items():
        if (value := effective_scores(row, photos)["cutout"]) is not None:
            scores["cutout"][index] = value
    return scores


def judged(made: Made, candidates: Candidates) -> list[Judged]:
    """The same candidates as records."""
    compositions = made.table.column("composition").to_pylist()
    scores = {name: values.tolist() for name, values in candidates.scores.items()}
    return [
        Judged(
            id=name,
            composition=compositions[index],
            scores={key: None if np.isnan(values[index]) else values[index] for key, values in scores.items()},
            fingerprint=int(candidates.fingerprints[index]),
            rank=int(candidates.ranks[index]) or None,
            flag=candidates.flags.get(index),
            refused=candidates.refused.get(index),
            scene=scene_of(name),
            step=int(candidates.steps[index]),
        )
        for index, name in enumerate(candidates.ids)
    ]


def _check_all_made(folder: BuildFolder, plan: Plan, markers: Mapping[int, Marker]) -> None:
    """Raise StoreError unless the shards of candidates are exactly those of the plan."""
    shards = {shard.number: shard for shard in plan.shards()}
    steps = {number: shard.plan for number, shard in shards.items()}
    strange = [number for number, marker in markers.items() if steps.get(number) != marker.plan]
    if strange:
        scenes = sum(markers[number].rows for number in strange)
        raise StoreError(
            f"{folder.plan_folder} lacks {scenes} of the scenes made; run the same `mycanvas build` again to restore it"
        )
    missing = sum(shard.count for number, shard in shards.items() if number not in markers)
    if missing or not shards:
        left = f"{counted(missing, 'scene')} {'is' if missing == 1 else 'are'} not made yet"
        raise StoreError(f"{folder.place}: {left}; run the same `mycanvas build` again first")
