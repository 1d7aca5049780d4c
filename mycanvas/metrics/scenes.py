"""What is scored, and what it is compared with: scenes and concepts, of a built dataset."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from mycanvas.boxes import Box
from mycanvas.errors import InputError
from mycanvas.schema import split_of

Read = Callable[[], bytes]
"""Gives the bytes of an encoded picture."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Photo:
    """A source photo. mask: of its object, single-channel PNG; None where none was found. used: scenes may show it."""

    id: str
    read: Read
    mask: Read | None = None
    used: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class Concept:
    """A thing to be recognised. class_name: what detectors are asked for: "dog"."""

    name: str
    token: str
    class_name: str
    photos: tuple[Photo, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Scene:
    """A picture to be scored, generated or of a dataset.

    concepts: what it should show. prompt: what it was made from. background: the prompt's, without the objects; None:
    not told. boxes: where its objects are, entry i belongs to concepts[i]; None: not known. read: gives its file.
    """

    id: str
    concepts: tuple[Concept, ...]
    prompt: str
    background: str | None
    read: Read
    boxes: tuple[Box, ...] | None = None

    @property
    def composition(self) -> str:
        """Names of its concepts, sorted and joined by "+"."""
        return "+".join(sorted(concept.name for concept in self.concepts))

    @property
    def split(self) -> str:
        """Of the dataset's splits the one for so many concepts."""
        return split_of(len(self.concepts))


@dataclass(frozen=True, kw_only=True, slots=True)
class Dataset:
    """A built dataset. concepts: by name. scenes: all splits', in their order."""

    folder: Path
    concepts: Mapping[str, Concept]
    scenes: tuple[Scene, ...]

    @property
    def compositions(self) -> tuple[tuple[Concept, ...], ...]:
        """Each one that a scene shows, by its concepts sorted by name; sorted."""
        names = sorted({tuple(sorted(concept.name for concept in scene.concepts)) for scene in self.scenes})
        return tuple(tuple(self.concepts[name] for name in composition) for composition in names)


def open_dataset(folder: Path) -> Dataset:
    """Read what `mycanvas build` wrote; pictures stay in their shards until they are asked for.

    Raises:
        InputError: no such dataset, or a scene shows what has no source photo in it.
    """
    photos = _rows(folder, "concepts")
    about = photos.remove_columns(["image", "mask"])
    masked = photos.data.column("mask").is_valid().to_pylist()
    found: dict[str, list[Photo]] = {}
    first: dict[str, Mapping[str, Any]] = {}
    for index, row in enumerate(about):
        first.setdefault(row["concept"], row)
        found.setdefault(row["concept"], []).append(
            Photo(
                id=row["id"],
                read=partial(_bytes, photos, "image", index),
                mask=partial(_bytes, photos, "mask", index) if masked[index] else None,
                used=row["used"],
            )
        )
    concepts = {
        name: Concept(
            name=name,
            token=first[name]["concept_token"],
            class_name=first[name]["class_name"],
            photos=tuple(found[name]),
        )
        for name in found
    }
    return Dataset(folder=folder, concepts=concepts, scenes=read_scenes(folder, concepts))


def read_scenes(folder: Path, concepts: Mapping[str, Concept]) -> tuple[Scene, ...]:
    """The scenes of a built dataset.

    Args:
        folder: the dataset.
        concepts: by name, with their source photos; may be another dataset's.

    Raises:
        InputError: no such dataset, or a scene shows none of these concepts.
    """
    rows = _rows(folder, "all")
    by_token = {concept.token: concept for concept in concepts.values()}
    scenes = []
    for index, row in enumerate(rows.remove_columns(["image", "mask"])):
        unknown = [token for token in row["concept_tokens"] if token not in by_token]
        if unknown:
            raise InputError(f"scene {row['id']} of {folder} shows {unknown[0]}, which has no source photos")
        scenes.append(
            Scene(
                id=row["id"],
                concepts=tuple(by_token[token] for token in row["concept_tokens"]),
                prompt=row["prompt"],
                background=row["background"],
                boxes=tuple((x, y, width, height) for x, y, width, height in row["boxes"]),
                read=partial(_bytes, rows, "image", index),
            )
        )
    return tuple(scenes)


def concepts_of(composition: str, concepts: Mapping[str, Concept]) -> tuple[Concept, ...]:
    """The concepts of "cat2+dog6", in any order.

    Raises:
        InputError: there is no such concept, one stands there twice, or there are not 1 to 5.
    """
    names = composition.split("+")
    unknown = next((name for name in names if name not in concepts), None)
    if unknown is not None:
        near: Sequence[str] = difflib.get_close_matches(unknown, concepts, n=1, cutoff=0.5) or sorted(concepts)
        hint = f"did you mean {near[0]}?" if len(near) == 1 else f"known: {', '.join(near)}"
        raise InputError(f"concept {unknown!r} of composition {composition!r} has no source photos; {hint}")
    if len(set(names)) < len(names) or len(names) > 5:
        raise InputError(f"a composition is 1 to 5 different concepts, got {composition!r}")
    return tuple(concepts[name] for name in sorted(names))


def _rows(folder: Path, config: str) -> Any:
    """The rows of one configuration, pictures as encoded bytes."""
    import datasets
    from datasets.exceptions import DatasetGenerationError

    import mycanvas  # noqa: F401  (makes the name known)

    try:
        rows = datasets.load_dataset("mycanvas", config, data_dir=str(folder), split="train")
    except (FileNotFoundError, ValueError, DatasetGenerationError) as error:
        raise InputError(f"the dataset cannot be read: {error}") from error
    for column in ("image", "mask"):
        rows = rows.cast_column(column, datasets.Image(decode=False))
    return rows


def _bytes(rows: Any, column: str, index: int) -> bytes:
    content: bytes = rows[index][column]["bytes"]
    return content
