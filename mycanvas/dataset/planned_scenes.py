"""The split of every planned scene, kept or not: people also rate scenes that were not kept."""

from __future__ import annotations

import json
import posixpath
from pathlib import Path

from mycanvas.dataset.reader import open_dataset
from mycanvas.dataset.shards import local_path
from mycanvas.errors import InputError
from mycanvas.schema import split_of

PLAN = ".build/plan.jsonl"
"""One JSON object for each planned scene, with `id` and `num_objects`; a copy without .build has none."""


def planned_splits(place: Path | str) -> dict[str, str]:
    """The split of each planned scene by its id; of the scenes in the dataset where it has no plan.

    Args:
        place: a built folder, or an fsspec URL of one; it need not be finished where there is a plan.

    Raises:
        InputError: the plan is damaged; or there is none, and the dataset cannot be read.
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
        lines = [json.loads(line) for line in files.cat_file(plan).decode("utf-8").splitlines()]
        return {line["id"]: split_of(line["num_objects"]) for line in lines}
    except (OSError, ValueError, TypeError, KeyError, ImportError) as error:
        raise InputError(
            f"{posixpath.join(place, PLAN)} is damaged ({error}); run the same `mycanvas build` again to write it again"
        ) from error
