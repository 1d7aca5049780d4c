"""What is exported: the scenes and source photos of a dataset, one after the other, their pictures as encoded bytes."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from mycanvas.errors import InputError

_ID = re.compile(r"[A-Za-z0-9_-]{1,80}")
"""What can name a file in a tar's header, and be a key of WebDataset, which ends at the first dot."""
_JPEG = b"\xff\xd8\xff"
_PNG = b"\x89PNG"

_PICTURES = ("image", "mask")
_SCENE = (
    *("id", "caption", "prompt", "boxes", "concept_tokens", "class_names"),
    *("background", "composition", "source_images", "scores", "rank", "provenance"),
)
_PHOTO = ("id", "concept", "concept_token", "class_name")


@dataclass(frozen=True, kw_only=True, slots=True)
class Scene:
    """A row of the dataset, whose columns are described in mycanvas/schema.py.

    image, mask: the bytes of a JPEG and of a palette PNG, as they lie in the shard.
    """

    split: str
    id: str
    image: memoryview
    mask: memoryview
    caption: str
    prompt: str
    boxes: list[list[float]]
    concept_tokens: list[str]
    class_names: list[str]
    background: str
    composition: str
    source_images: list[str]
    scores: Mapping[str, float | None]
    rank: int | None
    provenance: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Photo:
    """A source photo. image: the bytes of its file. name: that file's."""

    concept: str
    name: str
    image: memoryview


@dataclass(frozen=True, kw_only=True, slots=True)
class Concept:
    """A thing that scenes show. name: its folder's."""

    name: str
    token: str
    class_name: str


@dataclass(frozen=True, kw_only=True)
class Source:
    """A dataset to be exported.

    Args:
        counts: how many scenes each split has.
        classes: the class name of each concept, by its token; sorted by token.
        version: of the data: another after it was written again.
        scene_files, photo_files: Arrow streams.
        passed: called after each scene.
    """

    folder: Path
    counts: Mapping[str, int]
    classes: Mapping[str, str]
    concepts: Sequence[Concept]
    version: str
    scene_files: Mapping[str, Sequence[str]]
    photo_files: Sequence[str]
    passed: Callable[[], object] = lambda: None

    def scenes(self, split: str) -> Iterator[Scene]:
        """The scenes of a split, in its order; those that were passed are no longer held.

        Raises:
            InputError: a row cannot be exported, or a shard cannot be read.
        """
        for values, (image, mask) in self._rows(self.scene_files[split], _SCENE, _PICTURES):
            name = values["id"]
            if not len(values["boxes"]) == len(values["concept_tokens"]) == len(values["class_names"]):
                raise InputError(f"scene {name} of {self.folder} has not one token and one class name for each box")
            yield Scene(
                split=split,
                image=self._picture(image, _JPEG, f"the image of scene {name}"),
                mask=self._picture(mask, _PNG, f"the mask of scene {name}"),
                **values,
            )
            self.passed()

    def photos(self) -> Iterator[Photo]:
        """The source photos, in their order.

        Raises:
            InputError: as for scenes.
        """
        for values, (image,) in self._rows(self.photo_files, _PHOTO, ("image",)):
            name = values["id"].rpartition("/")[2]
            check_name(values["concept"], self.folder)
            check_name(name, self.folder)
            yield Photo(concept=values["concept"], name=name, image=self._picture(image, b"", f"photo {values['id']}"))

    def _picture(self, content: memoryview, magic: bytes, what: str) -> memoryview:
        if not content or bytes(content[: len(magic)]) != magic:
            wanted = {_JPEG: "a JPEG", _PNG: "a PNG"}.get(magic, "a picture")
            raise InputError(f"{what} of {self.folder} is not {wanted}; export what `mycanvas build` wrote")
        return content

    def _rows(
        self, files: Sequence[str], columns: Sequence[str], pictures: Sequence[str]
    ) -> Iterator[tuple[dict[str, Any], tuple[memoryview, ...]]]:
        """For each row its small columns, and its pictures: views of the record batch.

        One shard is mapped at a time, and what was passed of it is the system's to drop.
        """
        for batch in self._batches(files):
            encoded = [_views(batch.column(name).field("bytes")) for name in pictures]
            yield from zip(batch.select(list(columns)).to_pylist(), zip(*encoded, strict=True), strict=True)

    def _batches(self, files: Sequence[str]) -> Iterator[Any]:
        import pyarrow as pa

        for file in files:
            with ExitStack() as opened:
                with _named(file):
                    stream = opened.enter_context(pa.ipc.open_stream(opened.enter_context(pa.memory_map(file))))
                while (batch := _next(stream, file)) is not None:
                    yield batch


def open_source(folder: Path, passed: Callable[[], object] = lambda: None) -> Source:
    """Find out what a dataset has; its pictures stay where they are.

    Args:
        folder: what `mycanvas build` wrote, or its copy in Parquet.
        passed: called after each scene that is read.

    Raises:
        InputError: no such dataset, or it is not one of ours.
    """
    scenes, photos = _load(folder, "default"), _load(folder, "concepts")
    _check_columns(folder, scenes, (*_SCENE, *_PICTURES))
    _check_columns(folder, photos, (*_PHOTO, "image"))
    _check_ids(folder, scenes)
    about = {row["concept"]: row for row in photos["train"].select_columns(list(_PHOTO[1:]))}
    files = {split: [file["filename"] for file in rows.cache_files] for split, rows in scenes.items()}
    photo_files = [file["filename"] for file in photos["train"].cache_files]
    return Source(
        folder=folder,
        counts={split: len(rows) for split, rows in scenes.items()},
        classes=_classes(scenes),
        concepts=[
            Concept(name=name, token=row["concept_token"], class_name=row["class_name"])
            for name, row in sorted(about.items())
        ],
        version=_version([*(file for shards in files.values() for file in shards), *photo_files]),
        scene_files=files,
        photo_files=photo_files,
        passed=passed,
    )


def check_name(name: str, folder: Path) -> None:
    """Refuse what would not stay in the folder that it is to be written to.

    Raises:
        InputError: it is no name of a file.
    """
    if name in {"", ".", ".."} or not name.isprintable() or "/" in name or "\\" in name:
        raise InputError(f"{name!r} in {folder} cannot be the name of a file or folder")


def _views(column: Any) -> list[memoryview]:
    """The bytes of each row of a binary column, where they lie; empty for null."""
    import numpy as np
    import pyarrow as pa

    _, offsets, content = column.cast(pa.binary()).buffers()
    ends = np.frombuffer(offsets, np.int32)[column.offset : column.offset + len(column) + 1].tolist()
    whole = memoryview(content or b"")
    return [whole[start:end] for start, end in pairwise(ends)]


def _next(stream: Any, file: str) -> Any:
    """The next record batch; None after the last."""
    with _named(file):
        return next(iter(stream), None)


@contextmanager
def _named(file: str) -> Iterator[None]:
    """Says which shard it is that cannot be read."""
    import pyarrow as pa

    try:
        yield
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{file} cannot be read: {error}") from error


def _load(folder: Path, config: str) -> Any:
    """The splits of a configuration, memory-mapped."""
    import datasets
    from datasets.exceptions import DatasetGenerationError

    import mycanvas  # noqa: F401  (makes the name known)

    try:
        return datasets.load_dataset("mycanvas", config, data_dir=str(folder), keep_in_memory=False)
    except (FileNotFoundError, ValueError, DatasetGenerationError) as error:
        raise InputError(f"the dataset cannot be read: {error}") from error


def _check_columns(folder: Path, splits: Any, wanted: Sequence[str]) -> None:
    for split, rows in splits.items():
        if missing := [name for name in wanted if name not in rows.column_names]:
            raise InputError(f"{split} of {folder} has no column {missing[0]}; export what `mycanvas build` wrote")


def _check_ids(folder: Path, scenes: Any) -> None:
    """Each is to name a file of its own."""
    seen: set[str] = set()
    for rows in scenes.values():
        for name in _column(rows, "id"):
            if not _ID.fullmatch(name or ""):
                raise InputError(f"the id {name!r} in {folder} cannot name a file; wanted letters, digits, _ and -")
            if name in seen:
                raise InputError(f"two scenes of {folder} have the id {name}")
            seen.add(name)


def _classes(scenes: Any) -> dict[str, str]:
    found: dict[str, str] = {}
    for rows in scenes.values():
        for tokens, names in zip(_column(rows, "concept_tokens"), _column(rows, "class_names"), strict=True):
            found.update(zip(tokens, names, strict=False))
    return dict(sorted(found.items()))


def _column(rows: Any, name: str) -> Iterator[Any]:
    """Its values as Python's, a record batch at a time."""
    for chunk in rows.data.column(name).chunks:
        yield from chunk.to_pylist()


def _version(files: Sequence[str]) -> str:
    """A digest of the shards' names, sizes and times."""
    digest = hashlib.sha256()
    for path in map(Path, files):
        stat = path.stat()
        digest.update(f"{path.name} {stat.st_size} {stat.st_mtime_ns}\n".encode())
    return digest.hexdigest()
