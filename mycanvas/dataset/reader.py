"""Open a built dataset and read its scenes, photos and concepts, one record batch at a time."""

from __future__ import annotations

import hashlib
import os
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

from mycanvas.dataset.checks import check_photo, check_scene
from mycanvas.dataset.places import check_on_this_machine
from mycanvas.dataset.records import Concept, Photo, Scene
from mycanvas.dataset.shards import cached_shards, count_rows, find_shards, is_mappable, read_rows
from mycanvas.errors import InputError

_SCENE = (
    *("id", "caption", "prompt", "boxes", "concept_tokens", "class_names"),
    *("background", "composition", "source_images", "scores", "rank", "provenance"),
)
_OPTIONAL = ("long_caption",)
"""Columns that datasets of earlier versions lack."""
_PHOTO = ("id", "concept", "used", "quality", "attribution")
_CONCEPT = ("id", "concept", "concept_token", "class_name", "height_cm")


@dataclass(frozen=True, kw_only=True, slots=True)
class Contents:
    """Facts about the scenes of a dataset.

    counts: the number of scenes in each split. classes: the class name of each concept by its token, sorted by token.
    compositions: the tokens of each composition's concepts by its name, sorted; of all scenes.
    """

    counts: Mapping[str, int]
    classes: Mapping[str, str]
    compositions: Mapping[str, Collection[str]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Dataset:
    """A built dataset whose shards were found; rows are read when they are iterated.

    place: the folder or fsspec URL. files: the shards of each split. photo_files: the shards of the source photos.
    version: a digest of the shards' names, sizes and times; it changes when they are written again.
    """

    place: str
    files: Mapping[str, Sequence[str]]
    photo_files: Sequence[str]
    version: str

    @property
    def name(self) -> str:
        """The name of its folder."""
        return os.path.basename(os.path.realpath(self.place))

    @property
    def splits(self) -> tuple[str, ...]:
        """The splits that have scenes, in the order of mycanvas.schema.SPLITS."""
        return tuple(self.files)

    def scenes(self, split: str | None = None) -> Iterator[Scene]:
        """The scenes of a split, or of all splits, in order.

        Raises:
            InputError: a shard cannot be read, or a scene lacks a value or has a wrong one.
        """
        for name in self._chosen(split):
            yield from self._scenes(name)

    def spread(self, count: int, split: str | None = None) -> Iterator[Scene]:
        """At most `count` scenes, spread evenly over a split or over all splits, in order.

        Raises:
            InputError: as for `scenes`.
        """
        import numpy as np

        totals = {name: count_rows(self.files[name]) for name in self._chosen(split)}
        total = sum(totals.values())
        positions = np.linspace(0, total - 1, min(count, total)).round().astype(int).tolist()
        start = 0
        for name, rows in totals.items():
            yield from self._scenes(name, {at - start for at in positions if start <= at < start + rows})
            start += rows

    def ids(self, split: str | None = None) -> Iterator[str]:
        """The ids of the scenes of a split, or of all splits, in order.

        Raises:
            InputError: a shard cannot be read, or an id cannot name a file.
        """
        for name in self._chosen(split):
            for row, _ in read_rows(self.files[name], ("id",)):
                check_scene(row, self.place)
                yield row["id"]

    def contents(self, is_chosen: Callable[[str, Collection[str]], bool] = lambda *_: True) -> Contents:
        """Count the scenes, list their classes, and check that every id is unique and can name a file.

        Args:
            is_chosen: whether to count a scene, given its composition and its tokens. All ids are checked.

        Raises:
            InputError: an id is wrong or not unique, a token or class is missing, or a shard cannot be read.
        """
        counts = dict.fromkeys(self.files, 0)
        classes: dict[str, str] = {}
        compositions: defaultdict[str, set[str]] = defaultdict(set)
        seen: set[str] = set()
        for split, files in self.files.items():
            for row, _ in read_rows(files, ("id", "concept_tokens", "class_names", "composition")):
                check_scene(row, self.place)
                if row["id"] in seen:
                    raise InputError(f"two scenes of {self.place} have the id {row['id']}")
                seen.add(row["id"])
                compositions[row["composition"]].update(row["concept_tokens"])
                if is_chosen(row["composition"], row["concept_tokens"]):
                    classes.update(zip(row["concept_tokens"], row["class_names"], strict=True))
                    counts[split] += 1
        return Contents(
            counts=counts, classes=dict(sorted(classes.items())), compositions=dict(sorted(compositions.items()))
        )

    def photos(self) -> Iterator[Photo]:
        """The source photos, in order.

        Raises:
            InputError: a shard cannot be read, or a photo lacks a value or has a wrong one.
        """
        for row, (image, mask) in read_rows(self.photo_files, _PHOTO, ("image", "mask")):
            check_photo(row, self.place)
            yield Photo(**{**row, "used": bool(row["used"])}, image=image, mask=mask or None)

    def photo_ids(self) -> Iterator[str]:
        """The ids of the source photos, in order.

        Raises:
            InputError: a shard cannot be read.
        """
        for row, _ in read_rows(self.photo_files, ("id",)):
            check_photo(row, self.place)
            yield row["id"]

    def shown_photos(self) -> frozenset[str]:
        """The ids of the source photos that scenes show.

        Raises:
            InputError: a shard cannot be read.
        """
        rows = (row for files in self.files.values() for row, _ in read_rows(files, ("source_images",)))
        return frozenset(name for row in rows for name in row["source_images"] or ())

    def concepts(self, *, with_photos: bool = True) -> dict[str, Concept]:
        """The concepts by name, in the order of their first photos.

        Args:
            with_photos: fill `Concept.photos`. Of a dataset that is not `mapped`, this holds all photos in memory.

        Raises:
            InputError: a shard cannot be read.
        """
        found: dict[str, Concept] = {}
        for row, _ in read_rows(self.photo_files, _CONCEPT):
            check_photo(row, self.place)
            name = row["concept"]
            found.setdefault(
                name,
                Concept(
                    name=name,
                    token=row["concept_token"],
                    class_name=row["class_name"],
                    height_cm=row["height_cm"],
                ),
            )
        if not with_photos:
            return found
        photos: dict[str, list[Photo]] = {name: [] for name in found}
        for photo in self.photos():
            photos[photo.concept].append(photo)
        return {name: replace(concept, photos=tuple(photos[name])) for name, concept in found.items()}

    def mapped(self) -> Dataset:
        """The same dataset in memory-mapped shards, so that records can be kept without holding pictures in memory.

        Parquet and remote shards are first copied to the cache of `datasets`, as Arrow.

        Raises:
            InputError: a shard cannot be read.
        """
        if all(map(is_mappable, chain(self.photo_files, *self.files.values()))):
            return self
        (photo_files,) = cached_shards(self.place, "concepts").values()
        return replace(self, files=cached_shards(self.place, "default"), photo_files=photo_files)

    def _chosen(self, split: str | None) -> tuple[str, ...]:
        if split is not None and split not in self.files:
            raise InputError(f"{self.place} has no split {split!r}; it has {', '.join(self.files)}")
        return self.splits if split is None else (split,)

    def _scenes(self, split: str, only: Collection[int] | None = None) -> Iterator[Scene]:
        for row, (image, mask) in read_rows(self.files[split], _SCENE, ("image", "mask"), only, _OPTIONAL):
            check_scene(row, self.place)
            yield Scene(
                **{
                    **row,
                    "boxes": tuple(tuple(box) for box in row["boxes"]),
                    "concept_tokens": tuple(row["concept_tokens"]),
                    "class_names": tuple(row["class_names"]),
                    "source_images": tuple(row["source_images"]),
                },
                split=split,
                image=image,
                mask=mask,
            )


def open_dataset(place: Path | str) -> Dataset:
    """Find the shards of a built dataset; no row is read.

    Args:
        place: what `mycanvas build` wrote, or its copy in Parquet: a folder, or, as text, an fsspec URL.

    Raises:
        InputError: there is no such dataset, it is not finished, or shards are missing.
    """
    if isinstance(place, Path):
        check_on_this_machine(place)
    scenes, photos = find_shards(str(place), "default"), find_shards(str(place), "concepts")
    (photo_files,) = photos.files.values()
    digest = hashlib.sha256()
    for found in (scenes, photos):
        for file, version in found.versions.items():
            digest.update(f"{file.rpartition('/')[2]} {' '.join(version)}\n".encode())
    return Dataset(place=str(place), files=scenes.files, photo_files=photo_files, version=digest.hexdigest())


def concepts_of(scene: Scene, by_token: Mapping[str, Concept], place: str) -> tuple[Concept, ...]:
    """The concepts that a scene shows: entry i belongs to boxes[i].

    Args:
        scene: of a built dataset.
        by_token: the known concepts, by token.
        place: the scene's dataset, for messages.

    Raises:
        InputError: the scene shows a concept that has no source photos.
    """
    if unknown := [token for token in scene.concept_tokens if token not in by_token]:
        raise InputError(f"scene {scene.id} of {place} shows {unknown[0]}, which has no source photos")
    return tuple(by_token[token] for token in scene.concept_tokens)
