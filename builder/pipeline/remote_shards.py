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
from builder.pipeline.shard import ShardReport, ShardTask, make_shard
from mycanvas.io.store import mirror_of

Task = TypeVar("Task")
Result = TypeVar("Result")


@dataclass(frozen=True, kw_only=True, slots=True)
class RemoteTask:
    """A shard of a build at a URL. state, sha256: the number and the sum of what its scenes are made of."""

    url: str
    state: int
    sha256: str
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
        """As the engine does; before shards, what they are made of is uploaded."""
        if work is not make_shard:
            yield from self._own.map(work, tasks)
            return
        self._folder.states.push()
        url, state = self._folder.place, self._folder.state
        remote = [
            RemoteTask(url=url, state=state.number, sha256=state.digest(), task=task)
            for task in tasks
            if isinstance(task, ShardTask)
        ]
        yield from self._engine.map(make_remote_shard, remote)  # type: ignore[misc]  # a Result is a ShardReport here

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
    report = make_shard(shard)
    folder.push_shard(shard.shard.number, before)
    return report


@lru_cache(maxsize=1)
def _copy(url: str, _path: Path, state: int, sha256: str) -> RemoteFolder:
    """This machine's copy, up to date; a worker makes sure of it once."""
    folder = RemoteFolder(url)
    folder.states.catch_up(state, sha256)
    return folder
