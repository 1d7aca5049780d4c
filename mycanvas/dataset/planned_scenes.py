"""The split of every planned scene, kept or not: people also rate scenes that were not kept."""

from __future__ import annotations

import hashlib
import posixpath
import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from mycanvas.dataset.reader import open_dataset
from mycanvas.dataset.shards import local_path
from mycanvas.errors import InputError, StoreError
from mycanvas.io.checked import REMAKE, parse_checked
from mycanvas.schema import split_of

PLAN = ".build/plan"
"""The folder of the planned scenes, NNNNN.arrow, and of their markers; a copy without .build has none."""
STATES, OBJECTS = ".build/states", ".build/objects"
"""The folders of a build that was made at a URL, which has no PLAN: lists of files, and the files by their sha256."""
_STATE = re.compile(r"/\d{5}\.json$", re.ASCII)


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
        files, root = (fsspec.filesystem("file"), local) if local else fsspec.core.url_to_fs(place)
        steps = _steps_of_folder(files, root) or _steps_of_states(files, root)
    except (OSError, ValueError, ImportError) as error:
        raise InputError(f"cannot read {posixpath.join(place, PLAN)}: {error}") from error
    return {scene: split for name, content in steps.items() for scene, split in _read_step(name, content)}


def _steps_of_folder(files: Any, root: str) -> dict[str, bytes]:
    """The files of scenes of a plan, by their paths; a step without its marker, which is written last, is none."""
    names = {posixpath.basename(path) for path in _listed(files, posixpath.join(root, PLAN))}
    paths = [posixpath.join(root, PLAN, name) for name in _finished(names)]
    return {path: files.cat_file(path) for path in paths}


def _steps_of_states(files: Any, root: str) -> dict[str, bytes]:
    """The same of a build at a URL: its last state has the sha256 of each file, which names the object."""
    states = sorted(path for path in _listed(files, posixpath.join(root, STATES)) if _STATE.search(path))
    if not states:
        return {}
    state = parse_checked(files.cat_file(states[-1]), states[-1], dict[str, Any])
    sums = state["files"] if isinstance(state.get("files"), dict) else {}
    found = {}
    for name in _finished({posixpath.basename(path) for path in sums if posixpath.dirname(path) == PLAN}):
        sha256 = str(sums[f"{PLAN}/{name}"])
        path = posixpath.join(root, OBJECTS, sha256)
        content = files.cat_file(path) if re.fullmatch("[0-9a-f]{64}", sha256) else b""
        if hashlib.sha256(content).hexdigest() != sha256:
            raise StoreError(f"{path} is damaged; {REMAKE}")
        found[path] = content
    return found


def _listed(files: Any, folder: str) -> list[str]:
    return list(files.ls(folder, detail=False)) if files.isdir(folder) else []


def _finished(names: Collection[str]) -> list[str]:
    """The names of files of scenes whose markers are there, in the order of the steps."""
    return sorted(name for name in names if name.endswith(".arrow") and f"{name[:-6]}.json" in names)


def _read_step(name: str, content: bytes) -> Iterator[tuple[str, str]]:
    import pyarrow as pa

    try:
        with pa.ipc.open_file(content) as reader:
            columns = [reader.schema.get_field_index(column) for column in ("id", "num_objects")]
        if min(columns) < 0:
            raise LookupError
        with pa.ipc.open_file(content, options=pa.ipc.IpcReadOptions(included_fields=columns)) as reader:
            for index in range(reader.num_record_batches):
                batch = reader.get_batch(index)
                batch.validate(full=True)
                ids, sizes = (batch.column(column).to_pylist() for column in ("id", "num_objects"))
                yield from zip(map(str, ids), map(split_of, sizes), strict=True)
    except (pa.ArrowException, OSError, LookupError, TypeError, ValueError):
        raise StoreError(f"{name} is damaged; {REMAKE}") from None
