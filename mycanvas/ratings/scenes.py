"""Splits of the scenes that people may have rated."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from mycanvas.errors import InputError, StoreError
from mycanvas.schema import SPLITS, split_of


def scene_splits(folder: Path) -> Mapping[str, str]:
    """The split of each scene of a built dataset, by its id.

    Scenes that were planned but not kept are included, as people rate them too; a dataset without its build folder has
    only the kept ones.

    Raises:
        InputError: there is no readable dataset.
        StoreError: the plan is damaged.
    """
    import datasets

    import mycanvas  # noqa: F401  (registers the name)

    plan = folder / ".build" / "plan.jsonl"
    if plan.is_file():
        try:
            rows = [json.loads(line) for line in plan.read_text(encoding="utf-8").splitlines()]
            planned = {row["id"]: split_of(row["num_objects"]) for row in rows}
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise StoreError(f"{plan} is damaged; run the same `mycanvas build` again to rewrite it") from error
        if planned:
            return planned
    try:
        loaded = datasets.load_dataset("mycanvas", data_dir=str(folder))
    except (OSError, ValueError, datasets.exceptions.DatasetsError) as error:
        raise InputError(f"the dataset cannot be read: {error}") from error
    return {name: split for split in SPLITS if split in loaded for name in loaded[split]["id"]}
