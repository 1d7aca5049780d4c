"""The split of every planned scene, kept or not: people also rate scenes that were not kept."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mycanvas.dataset.reader import open_dataset
from mycanvas.dataset.shards import local_path
from mycanvas.errors import InputError, StoreError
from mycanvas.io.checked import REMAKE
from mycanvas.schema import split_of

PLAN = ".build/plan"
"""The folder of the planned scenes, NNNNN.arrow; a copy without .build has none."""


class PlannedSplits(Mapping[str, str]):
    """The split of each planned scene by its id; that of an attempt ("4f1c2a9b01-00007-2") is its scene's."""

    def __init__(self, splits: Mapping[str, str]) -> None:
        self._splits = splits

    def __getitem__(self, name: str) -> str:
        return self._splits[name if name in self._splits else name.rpartition("-")[0]]

    def __iter__(self) -> Iterator[str]:
        return iter(self._splits)

    def __len__(self) -> int:
        return len(self._splits)


def planned_splits(place: Path | str) -> Mapping[str, str]:
    """The split of each planned scene by its id; of the scenes in the dataset where it has no plan.

    Args:
        place: a built folder, or an fsspec URL of one; it need not be finished where there is a plan.

    Raises:
        InputError: the plan cannot be read; or there is none, and the dataset cannot be read.
        StoreError: the plan is damaged.
    """
    planned = _read_plan(str(place))
    if planned:
        return PlannedSplits(planned)
    dataset = open_dataset(place)
    return {name: split for split in dataset.splits for name in dataset.ids(split)}


def _read_plan(place: str) -> dict[str, str]:
    import fsspec

    local = local_path(place)
    try:
        files, path = (fsspec.filesystem("file"), local) if local else fsspec.core.url_to_fs(place)
        folder = posixpath.join(path, PLAN)
        names = files.ls(folder, detail=False) if files.isdir(folder) else []
        steps = {name: files.cat_file(name) for name in sorted(names) if name.endswith(".arrow")}
    except (OSError, ValueError, ImportError) as error:
        raise InputError(f"cannot read {posixpath.join(place, PLAN)}: {error}") from error
    return {scene: split for name, content in steps.items() for scene, split in _read_step(name, content)}


def _read_step(name: str, content: bytes) -> Iterator[tuple[str, str]]:
    import pyarrow as pa

    try:
        with pa.ipc.open_file(content) as reader:
            table = reader.read_all().select(["id", "num_objects"])
        table.validate(full=True)
        rows: list[dict[str, Any]] = table.to_pylist()
        yield from ((str(row["id"]), split_of(row["num_objects"])) for row in rows)
    except (pa.ArrowException, OSError, LookupError, TypeError, ValueError):
        raise StoreError(f"{name} is damaged; {REMAKE}") from None
