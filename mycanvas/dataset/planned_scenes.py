"""The split of every planned scene, kept or not: people also rate scenes that were not kept."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import Field

from mycanvas.dataset.reader import open_dataset
from mycanvas.dataset.shards import local_path
from mycanvas.errors import InputError
from mycanvas.io.checked import parse_checked
from mycanvas.schema import split_of

PLAN = ".build/plan.json"
"""The planned scenes; a copy without .build has none."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Scene:
    id: str
    num_objects: Annotated[int, Field(ge=1, le=5)]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Plan:
    """The part of a plan that is read here."""

    scenes: tuple[_Scene, ...]


def planned_splits(place: Path | str) -> dict[str, str]:
    """The split of each planned scene by its id; of the scenes in the dataset where it has no plan.

    Args:
        place: a built folder, or an fsspec URL of one; it need not be finished where there is a plan.

    Raises:
        InputError: the plan cannot be read; or there is none, and the dataset cannot be read.
        StoreError: the plan is damaged.
    """
    planned = _read_plan(str(place))
    if planned:
        return planned
    dataset = open_dataset(place)
    return {name: split for split in dataset.splits for name in dataset.ids(split)}


def _read_plan(place: str) -> dict[str, str]:
    import fsspec

    local = local_path(place)
    try:
        files, path = (fsspec.filesystem("file"), local) if local else fsspec.core.url_to_fs(place)
        plan = posixpath.join(path, PLAN)
        if not files.isfile(plan):
            return {}
        content = files.cat_file(plan)
    except (OSError, ValueError, ImportError) as error:
        raise InputError(f"cannot read {posixpath.join(place, PLAN)}: {error}") from error
    scenes = parse_checked(content, posixpath.join(place, PLAN), _Plan).scenes
    return {scene.id: split_of(scene.num_objects) for scene in scenes}
