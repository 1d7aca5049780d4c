"""A dataset as exporters read it: scenes and photos that were checked, with progress, and what is known in advance."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mycanvas.dataset import Concept, Dataset, Encoded, Photo, Scene, check_name, open_dataset
from mycanvas.errors import InputError

_JPEG = b"\xff\xd8\xff"
_PNG = b"\x89PNG"


@dataclass(frozen=True, kw_only=True)
class Source:
    """A dataset to export.

    Args:
        folder: the dataset's folder.
        dataset: its reader.
        counts: the number of scenes in each split.
        classes: the class name of each concept by its token, sorted by token.
        concepts: without their photos, sorted by name.
        passed: called after each scene.
    """

    folder: Path
    dataset: Dataset
    counts: Mapping[str, int]
    classes: Mapping[str, str]
    concepts: Sequence[Concept]
    passed: Callable[[], object] = lambda: None

    def scenes(self, split: str) -> Iterator[Scene]:
        """The scenes of a split, in order; one record batch is in memory at a time.

        Raises:
            InputError: a scene cannot be exported, or a shard cannot be read.
        """
        for scene in self.dataset.scenes(split):
            self._check(scene.image, _JPEG, "JPEG", f"the image of scene {scene.id}")
            self._check(scene.mask, _PNG, "PNG", f"the mask of scene {scene.id}")
            yield scene
            self.passed()

    def photos(self) -> Iterator[Photo]:
        """The source photos, in order; the names of photo and concept are safe names of files.

        Raises:
            InputError: a photo cannot be exported, or a shard cannot be read.
        """
        for photo in self.dataset.photos():
            check_name(photo.concept, self.dataset.place)
            check_name(photo.file_name, self.dataset.place)
            self._check(photo.image, b"", "picture", f"photo {photo.id}")
            yield photo

    def _check(self, content: Encoded, magic: bytes, kind: str, name: str) -> None:
        if not content or content[: len(magic)] != magic:
            raise InputError(f"{name} of {self.folder} is not a {kind}; export what `mycanvas build` wrote")


def open_source(folder: Path) -> Source:
    """Open a dataset, count its scenes and check their ids; no picture is read.

    Args:
        folder: what `mycanvas build` wrote, or its copy in Parquet.

    Raises:
        InputError: there is no such dataset, its shards cannot be read, or an id is wrong or not unique.
    """
    if folder.parts[:1] == ("hf:",):
        name = "/".join(part for part in folder.parts[1:] if part != "datasets")
        fetch = f"hf download {name} --repo-type dataset --local-dir DIR"
        raise InputError(f"expected a folder on this machine, got a dataset on the Hub; fetch it with: {fetch}")
    dataset = open_dataset(folder)
    contents = dataset.contents()
    concepts = dataset.concepts(with_photos=False)
    return Source(
        folder=folder,
        dataset=dataset,
        counts=contents.counts,
        classes=contents.classes,
        concepts=[concepts[name] for name in sorted(concepts)],
    )
