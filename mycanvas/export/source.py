"""The dataset of an export: its chosen scenes and photos, checked as they are read, and facts known in advance."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mycanvas.dataset import Concept, Dataset, Photo, Scene, check_on_this_machine, open_dataset, picture_kind
from mycanvas.errors import ConfigError
from mycanvas.export.selection import Selection
from mycanvas.io.messages import nearest

if TYPE_CHECKING:
    from mycanvas.io.layers import PictureLayer

LayersOf = Callable[[Scene], Sequence["PictureLayer"]]
"""Gives the layers of a scene, back to front."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """A dataset to export, or the part of it that a selection chooses.

    Args:
        folder: the dataset's folder.
        dataset: its reader.
        selection: the options of the export.
        counts: the number of chosen scenes in each split that has any.
        classes: the class name of each concept of these scenes by its token, sorted by token.
        concepts: those that captions name, without their photos, sorted by name.
        concept: the chosen one, whose objects masks and photos show; None: all of them.
        scene_done: called after each scene.
        layers: gives the layers of a scene, back to front; None: they are not available.
    """

    folder: Path
    dataset: Dataset
    selection: Selection
    counts: Mapping[str, int]
    classes: Mapping[str, str]
    concepts: Sequence[Concept]
    concept: Concept | None = None
    scene_done: Callable[[], object] = lambda: None
    layers: LayersOf | None = None

    def scenes(self, split: str | None = None) -> Iterator[Scene]:
        """The chosen scenes of a split, or of all splits, in order; one record batch is in memory at a time.

        Raises:
            InputError: a scene cannot be exported, or a shard cannot be read.
        """
        for name in self.counts if split is None else (split,):
            for scene in self.dataset.scenes(name):
                if not _is_chosen(self.selection, self.concept, scene.composition, scene.concept_tokens):
                    continue
                picture_kind(scene.image, ["JPEG"], f"the image of scene {scene.id} of {self.folder}")
                picture_kind(scene.mask, ["PNG"], f"the mask of scene {scene.id} of {self.folder}")
                yield scene
                self.scene_done()

    def photos(self) -> Iterator[Photo]:
        """The source photos of the chosen concepts, in order.

        Raises:
            InputError: a shard cannot be read.
        """
        chosen = {concept.name for concept in ([self.concept] if self.concept else self.concepts)}
        return (photo for photo in self.dataset.photos() if photo.concept in chosen)


def open_source(folder: Path, selection: Selection) -> Source:
    """Open a dataset, count its scenes and check their ids; no picture is read.

    Args:
        folder: what `mycanvas build` wrote, or its copy in Parquet.
        selection: the options of the export.

    Raises:
        ConfigError: there is no such composition or concept, or no scene is chosen.
        InputError: there is no such dataset, or it is not on this machine; its shards cannot be read; an id is wrong
            or not unique.
    """
    check_on_this_machine(folder)
    dataset = open_dataset(folder)
    known = dataset.concepts(with_photos=False)
    concept = _chosen_concept(known, selection)
    contents = dataset.contents(lambda composition, tokens: _is_chosen(selection, concept, composition, tokens))
    for name in selection.composition:
        if name not in contents.compositions:
            raise ConfigError(f"there is no composition {name!r}; {nearest(name, tuple(contents.compositions))}")
    total = sum(contents.counts.values())
    if selection.concept and selection.shows_scenes and not total:
        raise ConfigError(f"no scene of {', '.join(selection.composition) or folder} shows {selection.concept}")
    if selection.holdout >= total > 0:
        raise ConfigError(f"--holdout {selection.holdout} leaves no scene to train on; {total} are chosen")
    return Source(
        folder=folder,
        dataset=dataset,
        selection=selection,
        counts={split: count for split, count in contents.counts.items() if count},
        classes=contents.classes,
        concepts=_named(known, concept, selection, contents.classes),
        concept=concept,
    )


def _chosen_concept(known: Mapping[str, Concept], selection: Selection) -> Concept | None:
    """The concept that `selection` names; None if it names none."""
    if selection.concept is None:
        return None
    if selection.concept not in known:
        raise ConfigError(f"there is no concept {selection.concept!r}; {nearest(selection.concept, sorted(known))}")
    return known[selection.concept]


def _named(
    known: Mapping[str, Concept], concept: Concept | None, selection: Selection, tokens: Collection[str]
) -> list[Concept]:
    """The concepts that captions of the chosen scenes and photos name, sorted by name.

    Args:
        known: all concepts by name.
        concept: the chosen one.
        selection: the options of the export.
        tokens: of the chosen scenes' concepts.
    """
    if concept and not selection.shows_scenes:
        return [concept]
    concepts = [known[name] for name in sorted(known)]
    if concept or selection.composition:
        return [each for each in concepts if each.token in tokens]
    return concepts


def _is_chosen(selection: Selection, concept: Concept | None, composition: str, tokens: Collection[str]) -> bool:
    """Whether a scene is of a chosen composition, and shows the chosen concept."""
    if selection.composition and composition not in selection.composition:
        return False
    return concept is None or concept.token in tokens
