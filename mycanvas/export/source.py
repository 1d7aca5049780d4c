"""What is exported: the scenes and source photos of a dataset, one after the other, their pictures as encoded bytes."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import chain, pairwise, repeat
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
        files: the shards of each split.
        photo_files: those of the source photos.
        counts: how many scenes each split has.
        classes: the class name of each concept, by its token; sorted by token.
        concepts: sorted by name.
        passed: called after each scene.
    """

    folder: Path
    files: Mapping[str, Sequence[str]]
    photo_files: Sequence[str]
    counts: Mapping[str, int]
    classes: Mapping[str, str]
    concepts: Sequence[Concept]
    passed: Callable[[], object] = lambda: None

    def scenes(self, split: str) -> Iterator[Scene]:
        """The scenes of a split, in its order; those that were passed are no longer held.

        Raises:
            InputError: a row cannot be exported, or a shard cannot be read.
        """
        for values, (image, mask) in _rows(self.files[split], _SCENE, _PICTURES):
            name = values["id"]
            if empty := [column for column in _SCENE if values[column] is None and column != "rank"]:
                raise InputError(f"scene {name} of {self.folder} has no {empty[0]}")
            if not 0 < len(values["boxes"]) == len(values["concept_tokens"]) == len(values["class_names"]):
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
        for values, (image,) in _rows(self.photo_files, _PHOTO, ("image",)):
            name = values["id"].rpartition("/")[2]
            check_name(values["concept"], self.folder)
            check_name(name, self.folder)
            yield Photo(concept=values["concept"], name=name, image=self._picture(image, b"", f"photo {values['id']}"))

    def _picture(self, content: memoryview, magic: bytes, what: str) -> memoryview:
        if not content or bytes(content[: len(magic)]) != magic:
            expected = {_JPEG: "a JPEG", _PNG: "a PNG"}.get(magic, "a picture")
            raise InputError(f"{what} of {self.folder} is not {expected}; export what `mycanvas build` wrote")
        return content

    def version(self) -> str:
        """A digest of the shards' names, sizes and times: another after they were written again."""
        digest = hashlib.sha256()
        for path in map(Path, chain(*self.files.values(), self.photo_files)):
            stat = path.stat()
            digest.update(f"{path.name} {stat.st_size} {stat.st_mtime_ns}\n".encode())
        return digest.hexdigest()


def open_source(folder: Path) -> Source:
    """Find out what a dataset has, without looking at its pictures.

    Args:
        folder: what `mycanvas build` wrote, or its copy in Parquet.

    Raises:
        InputError: no such dataset, it is not one of ours, or two of its scenes have one id.
    """
    if folder.parts[:1] == ("hf:",):
        name = "/".join(part for part in folder.parts[1:] if part != "datasets")
        fetch = f"hf download {name} --repo-type dataset --local-dir DIR"
        raise InputError(f"expected a folder on this machine, got a dataset on the Hub; fetch it with: {fetch}")
    files, (photo_files,) = _files(folder, "default"), _files(folder, "concepts").values()
    counts = dict.fromkeys(files, 0)
    classes: dict[str, str] = {}
    seen: set[str] = set()
    for split in files:
        for row, _ in _rows(files[split], ("id", "concept_tokens", "class_names"), ()):
            _check_id(row["id"], seen, folder)
            classes.update(zip(row["concept_tokens"] or (), row["class_names"] or (), strict=False))
            counts[split] += 1
    concepts = {
        row["concept"]: Concept(name=row["concept"], token=row["concept_token"], class_name=row["class_name"])
        for row, _ in _rows(photo_files, _PHOTO, ())
    }
    return Source(
        folder=folder,
        files=files,
        photo_files=photo_files,
        counts=counts,
        classes=dict(sorted(classes.items())),
        concepts=[concepts[name] for name in sorted(concepts)],
    )


def check_name(name: str, folder: Path) -> None:
    """Refuse what would not stay in the folder that it is to be written to.

    Raises:
        InputError: it is no name of a file.
    """
    if name in {"", ".", ".."} or not name.isprintable() or "/" in name or "\\" in name:
        raise InputError(f"{name!r} in {folder} cannot be the name of a file or folder")


def _check_id(name: str | None, seen: set[str], folder: Path) -> None:
    """Each is to name a file of its own."""
    if name is None or not _ID.fullmatch(name):
        raise InputError(f"the id {name!r} in {folder} cannot name a file; expected letters, digits, _ and -")
    if name in seen:
        raise InputError(f"two scenes of {folder} have the id {name}")
    seen.add(name)


def _files(folder: Path, config: str) -> dict[str, list[str]]:
    """The shards of each split, as the loader finds them."""
    import datasets

    import mycanvas  # noqa: F401  (makes the name known)

    try:
        builder = datasets.load_dataset_builder("mycanvas", config, data_dir=str(folder))
    except (FileNotFoundError, ValueError) as error:
        raise InputError(f"the dataset cannot be read: {error}") from error
    return {split: list(files) for split, files in builder.config.data_files.items()}


def _rows(
    files: Sequence[str], columns: Sequence[str], pictures: Sequence[str]
) -> Iterator[tuple[dict[str, Any], tuple[memoryview, ...]]]:
    """For each row some of its small columns, and of its pictures: views of a shard, which is mapped meanwhile."""
    for file in files:
        for batch in _batches(file):
            if missing := [name for name in (*columns, *pictures) if name not in batch.schema.names]:
                raise InputError(f"{file} has no column {missing[0]}; export what `mycanvas build` wrote")
            encoded = [_views(batch.column(name).field("bytes")) for name in pictures]
            pictured = zip(*encoded, strict=True) if encoded else repeat(())
            yield from zip(batch.select(list(columns)).to_pylist(), pictured, strict=bool(encoded))


def _batches(file: str) -> Iterator[Any]:
    """The record batches of a shard.

    Raises:
        InputError: it cannot be read.
    """
    import pyarrow as pa
    from datasets.exceptions import DatasetGenerationError

    from mycanvas.mycanvas import read_batches

    with ExitStack() as opened:
        try:
            batches = read_batches(file, opened.enter_context(pa.memory_map(file)))
        except OSError as error:
            raise InputError(f"{file} cannot be read: {error}") from error
        while True:
            try:
                batch = next(batches, None)
            except DatasetGenerationError as error:
                raise InputError(f"the dataset cannot be read: {error}") from error
            if batch is None:
                return
            yield batch


def _views(column: Any) -> list[memoryview]:
    """The bytes of each row of a binary column, where they lie; empty for null."""
    import numpy as np
    import pyarrow as pa

    _, offsets, content = column.cast(pa.binary()).buffers()
    ends = np.frombuffer(offsets, np.int32)[column.offset : column.offset + len(column) + 1].tolist()
    whole = memoryview(content or b"")
    return [whole[start:end] for start, end in pairwise(ends)]
