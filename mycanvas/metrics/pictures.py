"""The pictures that metrics score: generated ones, or the scenes of a built dataset."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from mycanvas.boxes import Box
from mycanvas.dataset import Concept, Dataset, Encoded, Scene, concepts_of
from mycanvas.errors import InputError
from mycanvas.io.messages import nearest
from mycanvas.io.text import brief_repr
from mycanvas.schema import split_of

Read = Callable[[], Encoded]
"""Returns the bytes of an encoded picture."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Picture:
    """A picture to score.

    id: its file's name, or the scene's id. concepts: what it should show. prompt: what it was made from, with tokens.
    background: the prompt without the objects; None: not known.
    read: reads its file.
    boxes: where its objects are, entry i belongs to concepts[i]; None: not known.
    """

    id: str
    concepts: tuple[Concept, ...]
    prompt: str
    background: str | None
    read: Read
    boxes: tuple[Box, ...] | None = None

    @property
    def composition(self) -> str:
        """The names of its concepts, sorted and joined by "+"."""
        return "+".join(sorted(concept.name for concept in self.concepts))

    @property
    def split(self) -> str:
        """The split for its number of concepts."""
        return split_of(len(self.concepts))


def dataset_pictures(dataset: Dataset, concepts: Mapping[str, Concept]) -> tuple[Picture, ...]:
    """The scenes of a dataset as pictures to score.

    Args:
        dataset: the dataset; their files are views of its shards, so it should be `mapped`.
        concepts: by name, with their source photos; may be another dataset's.

    Raises:
        InputError: a shard cannot be read, or a scene shows none of these concepts.
    """
    by_token = {concept.token: concept for concept in concepts.values()}
    return tuple(_picture(scene, concepts_of(scene, by_token, dataset.place)) for scene in dataset.scenes())


def composition_concepts(composition: str, concepts: Mapping[str, Concept]) -> tuple[Concept, ...]:
    """The concepts of a composition such as "cat2+dog6", whose names may be in any order.

    Raises:
        InputError: there is no such concept, one is named twice, or there are not 1 to 5.
    """
    names = composition.split("+")
    unknown = next((name for name in names if name not in concepts), None)
    if unknown is not None:
        hint = nearest(unknown, sorted(concepts))
        raise InputError(
            f"concept {brief_repr(unknown)} of composition {brief_repr(composition, 200)} has no source photos; {hint}"
        )
    if len(set(names)) < len(names) or len(names) > 5:
        raise InputError(f"a composition is 1 to 5 different concepts, got {brief_repr(composition, 200)}")
    return tuple(concepts[name] for name in sorted(names))


def _picture(scene: Scene, concepts: tuple[Concept, ...]) -> Picture:
    return Picture(
        id=scene.id,
        concepts=concepts,
        prompt=scene.prompt,
        background=scene.background,
        boxes=scene.boxes,
        read=lambda: scene.image,
    )
