"""Open any image-caption dataset as parts, one for each split: ours, or one that `datasets` reads from disk or the Hub.

Rows are streamed, undecoded, and only as many as are asked for; nothing is downloaded that is not read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from mycanvas.alignment.columns import Row
from mycanvas.dataset import open_dataset
from mycanvas.errors import ConfigError, InputError
from mycanvas.io.hub_errors import check_repository, hub_errors
from mycanvas.schema import SPLITS, features

KINDS = {
    ".arrow": "arrow",
    ".csv": "csv",
    ".json": "json",
    ".jsonl": "json",
    ".parquet": "parquet",
    ".tar": "webdataset",
}
"""Formats of single files in `datasets`, by suffix."""
HUB = re.compile(r"(?P<id>[\w.-]+/[\w.-]+)(:(?P<config>[\w.-]+))?")
"""owner/name, or owner/name:configuration."""
PARQUET_ROWS, PARQUET_BUFFER = 16, 2**20
"""Rows decoded, and bytes read, at once: a row group of pictures may not fit into memory."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """A split.

    features: the features of `datasets` by column.
    rows: returns these columns of at least this many rows, if there are so many; pictures are undecoded.
    follow: a picture may be a path, which `datasets` made from the names of the folder's own files. Elsewhere a path
        came with the data, may lead anywhere, and is not opened.
    """

    features: Row
    rows: Callable[[list[str], int], Iterable[Row]]
    follow: bool = False


def open_parts(place: str, split: str | None) -> dict[str, Part]:
    """Open the splits of a dataset, by name.

    Args:
        place: see `mycanvas.alignment.pairs.open_pairs`.
        split: a built dataset has its own splits where one is asked for, else one split "train" with all scenes.

    Raises:
        InputError: the dataset cannot be opened.
        ConfigError: the dataset has several configurations, and none is named.
    """
    import datasets
    from datasets.packaged_modules.folder_based_builder.folder_based_builder import FolderBasedBuilder
    from datasets.packaged_modules.parquet.parquet import Parquet

    folder = Path(place)
    if any(next(folder.glob(f"data/{name}-*.arrow"), None) for name in SPLITS):
        return _built(place, split)
    if (folder / "state.json").is_file() or (folder / "dataset_dict.json").is_file():
        saved = datasets.load_from_disk(place)
        splits = {"train": saved} if isinstance(saved, datasets.Dataset) else saved
        return {name: _saved(rows) for name, rows in splits.items()}
    builder = _builder(place)
    if isinstance(builder, Parquet):
        return {name: _parquet(files, builder.info.features) for name, files in builder.config.data_files.items()}
    follow = isinstance(builder, FolderBasedBuilder)
    return {name: _streamed(rows, follow) for name, rows in builder.as_streaming_dataset().items()}


@contextmanager
def readable(place: str) -> Iterator[None]:
    """Turn what `datasets` and pyarrow raise for a missing or damaged dataset into an error that names it."""
    import pyarrow as pa
    from datasets.exceptions import DatasetsError

    try:
        yield
    except (OSError, ValueError, RuntimeError, pa.ArrowException, DatasetsError) as error:
        raise InputError(f"{place} cannot be read as an image-caption dataset: {error}") from error


def _built(place: str, split: str | None) -> dict[str, Part]:
    """A dataset that `mycanvas build` wrote: rows are spread evenly over it."""
    dataset = open_dataset(place)

    def rows(name: str | None, columns: list[str], limit: int) -> Iterator[Row]:
        for scene in dataset.spread(limit, name):
            yield {column: getattr(scene, column) for column in columns}

    if split is None:
        return {"train": Part(features=features(), rows=partial(rows, None))}
    return {name: Part(features=features(), rows=partial(rows, name)) for name in dataset.splits}


def _saved(dataset: Any) -> Part:
    """A dataset that `save_to_disk` wrote: rows are spread evenly over it."""
    import datasets

    def rows(columns: list[str], limit: int) -> Iterator[Row]:
        chosen = dataset.select_columns(columns)
        for name in columns:
            if isinstance(chosen.features[name], datasets.Image):
                chosen = chosen.cast_column(name, datasets.Image(decode=False))
        spread = np.linspace(0, len(chosen) - 1, min(limit, len(chosen))).round().astype(int)
        yield from (chosen[index] for index in spread.tolist())

    return Part(features=dataset.features, rows=rows)


def _streamed(dataset: Any, follow: bool) -> Part:
    """A dataset that `datasets` streams: rows in order."""
    if dataset.features is None:  # they are known only after some rows are read
        dataset = dataset._resolve_features()
    return Part(
        features=dataset.features or {},
        rows=lambda columns, _: dataset.decode(False).select_columns(columns),
        follow=follow,
    )


def _parquet(files: Sequence[str], features: Row | None) -> Part:
    """Parquet files, read without `datasets`: rows in order.

    A Parquet stream of `datasets` that is not read to the end can hang when Python exits, because of pyarrow's dataset
    scanner (https://github.com/apache/arrow/issues/45214); pyarrow's ParquetFile does not.
    """
    import datasets
    import fsspec
    import pyarrow.parquet as pq

    def rows(columns: list[str], _: int) -> Iterator[Row]:
        for name in files:
            with fsspec.open(name, "rb") as file:
                for batch in pq.ParquetFile(file, buffer_size=PARQUET_BUFFER, pre_buffer=False).iter_batches(
                    PARQUET_ROWS, columns=columns
                ):
                    yield from batch.to_pylist()

    if features is None:
        with fsspec.open(files[0], "rb") as file:
            features = datasets.Features.from_arrow_schema(pq.read_schema(file))
    return Part(features=features, rows=rows)


def _builder(place: str) -> Any:
    """The builder of `datasets` for a file, a folder or a name on the Hub."""
    import datasets

    path, hub = Path(place), HUB.fullmatch(place)
    if path.is_file():
        kind = KINDS.get(path.suffix.lower())
        if kind is None:
            raise InputError(f"{place} has an unknown suffix; expected one of {', '.join(KINDS)}")
        return datasets.load_dataset_builder(kind, data_files=str(path.resolve()))
    if path.is_dir():
        return datasets.load_dataset_builder(str(path.resolve()))
    if hub is None or place.startswith("."):
        raise InputError(f"{place} does not exist; expected a file, a folder, or owner/name on the Hub")
    _check_on_hub(hub["id"])
    try:
        return datasets.load_dataset_builder(hub["id"], hub["config"])
    except ValueError as error:
        if hub["config"] is None and "Config name is missing" in str(error):
            named = ", ".join(f"{place}:{name}" for name in datasets.get_dataset_config_names(place))
            raise ConfigError(f"{place} has several configurations; choose one of {named}") from error
        raise


def _check_on_hub(name: str) -> None:
    """Send one request before a dataset is opened, because `datasets` would repeat its own for half a minute."""
    with hub_errors(f"open {name}, which is not a file or folder on this machine", raises=InputError):
        check_repository(name, "dataset")
