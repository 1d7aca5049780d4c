"""Any image-caption dataset -> its pairs: ours, or one that `datasets` reads from disk or the Hub.

Rows are streamed, undecoded, and only as many as are asked for; nothing is downloaded that is not read. A picture that
is only named by a URL, as LAION publishes them, is no picture here: it is never fetched.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from mycanvas.alignment.columns import find_columns
from mycanvas.errors import ConfigError, InputError
from mycanvas.io.hub_errors import check_repository, hub_errors
from mycanvas.metrics.scenes import Read
from mycanvas.schema import SPLITS

KINDS = {
    ".arrow": "arrow",
    ".csv": "csv",
    ".json": "json",
    ".jsonl": "json",
    ".parquet": "parquet",
    ".tar": "webdataset",
}
"""Single files, by their suffix, and what `datasets` calls their format."""
HUB = re.compile(r"(?P<id>[\w.-]+/[\w.-]+)(:(?P<config>[\w.-]+))?")
"""owner/name, or owner/name:configuration."""
PARQUET_ROWS, PARQUET_BUFFER = 16, 2**20
"""Rows decoded, and bytes read, at once: a row group of pictures may not fit into memory."""

Row = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Pair:
    """read: gives the encoded picture. Either is None where the row has none."""

    read: Read | None
    caption: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Pairs:
    """A dataset that is ready to be read, once. image_column: None where pictures are only named by URLs."""

    image_column: str | None
    caption_column: str
    rows: Iterator[Pair]


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """A split. features: by column, as `datasets` names them.

    rows: gives these columns of as many rows, or more; pictures undecoded. follow: a picture may be a path, which
    `datasets` made of the names of the folder's own files; elsewhere it came with the data and may lead anywhere.
    """

    features: Row
    rows: Callable[[list[str], int], Iterable[Row]]
    follow: bool = False


def open_pairs(
    place: str,
    *,
    limit: int,
    split: str | None = None,
    image_column: str | None = None,
    caption_column: str | None = None,
) -> Pairs:
    """The pairs of a dataset.

    Args:
        place: a folder that `mycanvas build` or `save_to_disk` wrote, of which rows are taken evenly; another folder or
            file that `datasets` reads (Parquet, Arrow, an image folder with its metadata, WebDataset tars, JSON), or
            "owner/name" or "owner/name:configuration" on the Hub: their first rows.
        limit: how many rows at most.
        split: of which rows are read; None: "train" where there is one, else every split, each for its share.
        image_column: None: found by the type of what it holds and by its usual names.
        caption_column: None: found likewise.

    Raises:
        InputError: it cannot be opened or, while the rows are read, it cannot be read.
        ConfigError: no such split or column; or the columns must be told, as more than one may be meant.
    """
    with _told(place):
        parts = _open(place, split)
    expected = split or ("train" if "train" in parts else None)
    if expected and expected not in parts:
        raise ConfigError(f"{place} has no split {expected!r}; it has {', '.join(parts)}")
    chosen = [parts[expected]] if expected else list(parts.values())
    features = {name: feature for part in chosen for name, feature in part.features.items()}
    image, caption = find_columns(place, features, image_column, caption_column)
    return Pairs(image_column=image, caption_column=caption, rows=_pairs(place, chosen, image, caption, limit))


def _pairs(place: str, parts: Sequence[Part], image: str | None, caption: str, limit: int) -> Iterator[Pair]:
    """Each part gives its share of the rows, and what earlier ones had too few of."""
    left = limit
    with _told(place):
        for position, part in enumerate(parts):
            share = -(-left // (len(parts) - position))
            columns = [name for name in (image, caption) if name is not None and name in part.features]
            for row in islice(part.rows(columns, share), share):
                left -= 1
                yield Pair(read=_reader(row.get(image or ""), part.follow), caption=_text(row.get(caption)))


def _reader(value: Any, follow: bool) -> Read | None:
    """What gives a picture's bytes, as a column of any kind has them."""
    if isinstance(value, dict):
        path = value.get("path") if follow else None
        value = value.get("bytes")
        if value is None and path:
            return partial(_content, path)
    return (lambda: value) if isinstance(value, bytes) and value else None


def _content(path: str) -> bytes:
    import fsspec

    try:
        with fsspec.open(path, "rb") as file:
            content: bytes = file.read()
            return content
    except OSError as error:
        raise InputError(f"{path} cannot be opened: {error}") from error


def _text(value: Any) -> str | None:
    """A caption; the first, where a picture has several."""
    first = value[0] if isinstance(value, list) and value else value
    return first if isinstance(first, str) and first.strip() else None


def _open(place: str, split: str | None) -> dict[str, Part]:
    """The splits of a dataset, by name."""
    import datasets
    from datasets.packaged_modules.folder_based_builder.folder_based_builder import FolderBasedBuilder
    from datasets.packaged_modules.parquet.parquet import Parquet

    import mycanvas  # noqa: F401  (makes the name known)

    folder = Path(place)
    if any(next(folder.glob(f"data/{name}-*.arrow"), None) for name in SPLITS):
        built = datasets.load_dataset("mycanvas", "default" if split else "all", data_dir=place)
        return {name: _mapped(rows) for name, rows in built.items()}
    if (folder / "state.json").is_file() or (folder / "dataset_dict.json").is_file():
        saved = datasets.load_from_disk(place)
        return {name: _mapped(rows) for name, rows in ({"train": saved} if _is_one(saved) else saved).items()}
    builder = _builder(place)
    if isinstance(builder, Parquet):
        return {name: _parquet(files, builder.info.features) for name, files in builder.config.data_files.items()}
    follow = isinstance(builder, FolderBasedBuilder)
    return {name: _streamed(rows, follow) for name, rows in builder.as_streaming_dataset().items()}


def _builder(place: str) -> Any:
    import datasets

    path, hub = Path(place), HUB.fullmatch(place)
    if path.is_file():
        kind = KINDS.get(path.suffix.lower())
        if kind is None:
            raise InputError(f"{place}: files are read by their suffix, one of {', '.join(KINDS)}")
        return datasets.load_dataset_builder(kind, data_files=str(path.resolve()))
    if path.is_dir():
        return datasets.load_dataset_builder(str(path.resolve()))
    if hub is None or place.startswith("."):
        raise InputError(f"there is no file or folder {place}, and on the Hub names are like owner/name")
    _ask_hub(hub["id"])
    try:
        return datasets.load_dataset_builder(hub["id"], hub["config"])
    except ValueError as error:
        if hub["config"] is None and "Config name is missing" in str(error):
            named = ", ".join(f"{place}:{name}" for name in datasets.get_dataset_config_names(place))
            raise ConfigError(f"{place} has several configurations; say which: {named}") from error
        raise


def _is_one(saved: Any) -> bool:
    import datasets

    return isinstance(saved, datasets.Dataset)


def _ask_hub(name: str) -> None:
    """Ask the Hub once whether it has a dataset: opening one tries again for half a minute before it fails."""
    with hub_errors(f"open {name}, which is not a file or folder here", raises=InputError):
        check_repository(name, "dataset")


def _mapped(dataset: Any) -> Part:
    """Rows that are in a file on this machine, in any order: they are spread evenly over it."""
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
    """Rows in their order."""
    if dataset.features is None:  # Not known until some rows are read.
        dataset = dataset._resolve_features()
    return Part(
        features=dataset.features or {},
        rows=lambda columns, _: dataset.decode(False).select_columns(columns),
        follow=follow,
    )


def _parquet(files: Sequence[str], features: Row | None) -> Part:
    """Rows in their order, without `datasets`.

    A stream of its over Parquet that is not read to the end can hang when Python exits, because of pyarrow's dataset
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


@contextmanager
def _told(place: str) -> Iterator[None]:
    """What `datasets` and pyarrow raise for a dataset that is not there or is damaged, as one error that names it."""
    import pyarrow as pa
    from datasets.exceptions import DatasetsError

    try:
        yield
    except (OSError, ValueError, RuntimeError, pa.ArrowException, DatasetsError) as error:
        raise InputError(f"{place} cannot be read as an image-caption dataset: {error}") from error
