"""A dataset as exporters read it: scenes and photos that were checked, with progress, and what is known in advance."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mycanvas.dataset import Concept, Dataset, Photo, Scene, check_on_this_machine, open_dataset, picture_kind


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
            picture_kind(scene.image, ["JPEG"], f"the image of scene {scene.id} of {self.folder}")
            picture_kind(scene.mask, ["PNG"], f"the mask of scene {scene.id} of {self.folder}")
            yield scene
            self.passed()

    def photos(self) -> Iterator[Photo]:
        """The source photos, in order.

        Raises:
            InputError: a shard cannot be read.
        """
        return self.dataset.photos()


def open_source(folder: Path) -> Source:
    """Open a dataset, count its scenes and check their ids; no picture is read.

    Args:
        folder: what `mycanvas build` wrote, or its copy in Parquet.

    Raises:
        InputError: there is no such dataset, or it is not on this machine; its shards cannot be read; an id is wrong
            or not unique.
    """
    check_on_this_machine(folder)
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
