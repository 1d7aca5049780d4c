"""Run the shards of a build at a URL on any engine: each worker uses its machine's copy, and uploads what it makes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

from builder.engines.base import Engine
from builder.engines.local import LocalEngine
from builder.pipeline.build_folder import BuildFolder
from builder.pipeline.remote import RemoteFolder
from builder.pipeline.shard_task import MakeShard, ShardReport, ShardTask
from mycanvas.io.store import mirror_of

Task = TypeVar("Task")
Result = TypeVar("Result")


@dataclass(frozen=True, kw_only=True, slots=True)
class RemoteTask:
    """A shard of a build at a URL, and how it is made.

    state, sha256: the number and the sum of the state with the files that its scenes are made of.
    """

    url: str
    state: int
    sha256: str
    make: MakeShard
    task: ShardTask


class RemoteEngine:
    """Runs shards on an engine, which may be of other machines, and all other tasks on this machine.

    Args:
        engine: the engine, started.
        folder: this machine's copy of the build.
        workers: processes for other tasks, if the engine is not of this machine.
    """

    def __init__(self, engine: Engine, folder: RemoteFolder, workers: int) -> None:
        self._engine, self._folder = engine, folder
        self._own = engine if isinstance(engine, LocalEngine) else LocalEngine(workers)

    def __enter__(self) -> RemoteEngine:
        if self._own is not self._engine:
            self._own.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        if self._own is not self._engine:
            self._own.__exit__(None, None, None)

    def map(self, work: Callable[[Task], Result], tasks: Sequence[Task]) -> Iterator[Result]:
        """Run tasks that are not shards, on this machine."""
        return self._own.map(work, tasks)

    def map_shards(self, make: MakeShard, tasks: Sequence[ShardTask]) -> Iterator[ShardReport]:
        """Make shards on the engine, once the files that their scenes are made of are uploaded."""
        self._folder.states.push()
        url, state = self._folder.place, self._folder.state
        number, sha256 = state.number, state.digest()
        remote = [RemoteTask(url=url, state=number, sha256=sha256, make=make, task=task) for task in tasks]
        yield from self._engine.map(make_remote_shard, remote)

    def report(self) -> str:
        """The report of the engine."""
        return self._engine.report()


def make_remote_shard(task: RemoteTask) -> ShardReport:
    """Make a shard in this machine's copy of the build and upload it, unless another machine has made it."""
    folder = _copy(task.url, mirror_of(task.url), task.state, task.sha256)
    shard = replace(
        task.task, folder=folder.path, runtime=replace(task.task.runtime, replies=BuildFolder(folder.path).replies)
    )
    before = folder.fetch_shard(shard.shard.number)
    report = task.make(shard)
    folder.push_shard(shard.shard.number, before)
    return report


@lru_cache(maxsize=1)
def _copy(url: str, _path: Path, state: int, sha256: str) -> RemoteFolder:
    """This machine's copy, up to date; a worker makes sure of it once."""
    folder = RemoteFolder(url)
    folder.states.catch_up(state, sha256)
    return folder
