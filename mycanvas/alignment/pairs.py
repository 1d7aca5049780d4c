"""The image-caption pairs of any dataset.

A picture that is only named by a URL, as LAION publishes them, counts as missing: it is never fetched.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any

from mycanvas.alignment.columns import find_columns
from mycanvas.alignment.open_splits import Part, open_parts, readable
from mycanvas.dataset import Encoded
from mycanvas.errors import ConfigError
from mycanvas.io.files import os_errors

Read = Callable[[], Encoded]
"""Returns the bytes of an encoded picture."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Pair:
    """A picture and its caption; each is None where the row has none. read: reads the encoded picture."""

    read: Read | None
    caption: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Pairs:
    """An open dataset, whose rows can be read once. image_column: None where pictures are only named by URLs."""

    image_column: str | None
    caption_column: str
    rows: Iterator[Pair]


def open_pairs(
    place: str,
    *,
    limit: int,
    split: str | None = None,
    image_column: str | None = None,
    caption_column: str | None = None,
) -> Pairs:
    """Open a dataset and find its columns of pictures and captions.

    Args:
        place: a folder that `mycanvas build` or `save_to_disk` wrote, whose rows are sampled evenly; another folder or
            file that `datasets` reads (Parquet, Arrow, an image folder with its metadata, WebDataset tars, JSON), or
            "owner/name" or "owner/name:configuration" on the Hub: their first rows.
        limit: maximum number of rows.
        split: the split to read; None: "train" where there is one, else a part of every split.
        image_column: None: found by type and usual name.
        caption_column: None: found likewise.

    Raises:
        InputError: it cannot be opened or, while the rows are read, it cannot be read.
        ConfigError: there is no such split or column, or the columns must be named because several are possible.
    """
    with readable(place):
        parts = open_parts(place, split)
    expected = split or ("train" if "train" in parts else None)
    if expected and expected not in parts:
        raise ConfigError(f"{place} has no split {expected!r}; it has {', '.join(parts)}")
    chosen = [parts[expected]] if expected else list(parts.values())
    features = {name: feature for part in chosen for name, feature in part.features.items()}
    image, caption = find_columns(place, features, image_column, caption_column)
    return Pairs(image_column=image, caption_column=caption, rows=_pairs(place, chosen, image, caption, limit))


def _pairs(place: str, parts: Sequence[Part], image: str | None, caption: str, limit: int) -> Iterator[Pair]:
    """Read an equal number of rows from each part, and from later ones what earlier ones had too few of."""
    left = limit
    with readable(place):
        for position, part in enumerate(parts):
            share = -(-left // (len(parts) - position))
            columns = [name for name in (image, caption) if name is not None and name in part.features]
            for row in islice(part.rows(columns, share), share):
                left -= 1
                yield Pair(read=_reader(row.get(image or ""), part.follow), caption=_text(row.get(caption)))


def _reader(value: Any, follow: bool) -> Read | None:
    """A function that reads the picture in a cell of any kind of column; None where there is no picture."""
    if isinstance(value, dict):
        path = value.get("path") if follow else None
        value = value.get("bytes")
        if value is None and path:
            return partial(_content, path)
    return (lambda: value) if isinstance(value, bytes | memoryview) and value else None


def _content(path: str) -> bytes:
    import fsspec

    with os_errors(path, "read"), fsspec.open(path, "rb") as file:
        content: bytes = file.read()
        return content


def _text(value: Any) -> str | None:
    """A caption; the first, where a picture has several."""
    first = value[0] if isinstance(value, list | tuple) and value else value
    return first if isinstance(first, str) and first.strip() else None
