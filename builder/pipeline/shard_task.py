"""One shard of the plan as a task for a worker, and its report."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from builder.config import BuildConfig
from builder.pipeline.build_folder import BuildFolder
from builder.pipeline.plan import PlannedScene, PlannedShard, read_shard
from builder.records import PhotoFile
from mycanvas.models.runtime import Runtime


@dataclass(frozen=True, kw_only=True, slots=True)
class ShardTask:
    """One shard of the plan, from which its scenes are read.

    backgrounds: the photos of backgrounds, by id. runtime: how the backends run, and where their models are.
    provenance: stored in every row.
    """

    folder: Path
    shard: PlannedShard
    backgrounds: Mapping[str, PhotoFile]
    config: BuildConfig
    runtime: Runtime
    provenance: Mapping[str, str | int]

    def scenes(self) -> list[PlannedScene]:
        """Read the planned scenes."""
        return read_shard(BuildFolder(self.folder).plan_folder, self.shard, self.backgrounds)


@dataclass(frozen=True, kw_only=True, slots=True)
class ShardReport:
    """The result of one shard. planned, made: numbers of scenes, each with all its attempts."""

    planned: int
    made: int


MakeShard = Callable[[ShardTask], ShardReport]
"""A function of a module that makes one shard."""
MapShards = Callable[[MakeShard, Sequence[ShardTask]], Iterator[ShardReport]]
"""Makes shards on workers; their reports come in any order."""
