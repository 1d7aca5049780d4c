"""A program that reads a dataset from the Hub in every way its card promises, on datasets 3.6 or 5: ids and digests.

python hub_reader.py me/mycanvas
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterable, Mapping
from typing import Any


def digests(rows: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """By each row's id, a sha256 of all that is in it; pictures count by their encoded bytes."""
    return {
        row["id"]: hashlib.sha256(json.dumps(row, sort_keys=True, default=_plain).encode()).hexdigest() for row in rows
    }


def encoded(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row with the bytes of its pictures, without their paths."""
    return {
        key: value["bytes"] if isinstance(value, dict) and "bytes" in value else value for key, value in row.items()
    }


def _plain(value: object) -> object:
    if isinstance(value, bytes):
        return hashlib.sha256(value).hexdigest()
    raise TypeError(type(value))


def read_all(repo_id: str) -> dict[str, dict[str, dict[str, str]]]:
    """How it was loaded -> split -> `digests`."""
    import datasets

    found: dict[str, dict[str, dict[str, str]]] = {}
    for name, options in (
        ("stock", {"path": repo_id}),
        ("ours", {"path": "mycanvas", "data_dir": f"hf://datasets/{repo_id}"}),
    ):
        for config in ("default", "all", "concepts"):
            for streaming in (False, True):
                if name == "ours":
                    import mycanvas  # noqa: F401  # makes its name known
                loaded = datasets.load_dataset(name=config, streaming=streaming, **options)
                how = f"{name} {config}{' streamed' if streaming else ''}"
                found[how] = {split: digests(_raw(rows)) for split, rows in loaded.items()}
    return found


def _raw(rows: Any) -> Iterable[dict[str, Any]]:
    import datasets

    for column in ("image", "mask"):
        rows = rows.cast_column(column, datasets.Image(decode=False))
    return map(encoded, rows)


if __name__ == "__main__":
    print(json.dumps(read_all(sys.argv[1])))
