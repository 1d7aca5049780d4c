"""One composition of a dataset: its concepts and all its scenes."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mycanvas.dataset.class_pictures import ClassPicture
from mycanvas.dataset.reader import open_dataset
from mycanvas.dataset.records import Concept, Scene
from mycanvas.errors import ConfigError, InputError
from mycanvas.io.messages import nearest


@dataclass(frozen=True, kw_only=True, slots=True)
class Composition:
    """One composition. name: "cat2+dog6". concepts: sorted by name, with their photos. scenes: all of it."""

    name: str
    concepts: Sequence[Concept]
    scenes: Sequence[Scene]


def find_composition(place: Path | str, name: str) -> Composition:
    """Read one composition of a built dataset, from memory-mapped shards.

    Args:
        place: the dataset's folder, or an fsspec URL.
        name: of the composition; the order of its concepts does not matter.

    Raises:
        ConfigError: there is no such composition.
        InputError: the dataset cannot be read, or a concept has no source photos.
    """
    dataset = open_dataset(place).mapped()
    known = dataset.contents().compositions
    found = name if name in known else "+".join(sorted(name.split("+")))
    if found not in known:
        raise ConfigError(f"there is no composition {name!r} in {place}; {nearest(name, tuple(known))}")
    shown = [concept for concept in dataset.concepts().values() if concept.token in known[found]]
    if missing := sorted(set(known[found]) - {concept.token for concept in shown}):
        raise InputError(f"scenes of {found} in {place} show {missing[0]}, which has no source photos")
    scenes = [scene for scene in dataset.scenes() if scene.composition == found]
    return Composition(name=found, concepts=sorted(shown, key=lambda concept: concept.name), scenes=scenes)


def digest_of(composition: Composition, classes: Sequence[ClassPicture]) -> str:
    """A digest of all from which a composition and its class pictures are learned: pictures, masks, and words."""
    digest = hashlib.sha256()

    def add(*parts: object) -> None:
        for part in parts:
            content = part if isinstance(part, bytes | memoryview) else repr(part).encode()
            digest.update(len(content).to_bytes(8, "big"))
            digest.update(content)

    for concept in composition.concepts:
        add(concept.token, concept.class_name)
        for photo in concept.photos:
            add(photo.id, photo.used, photo.image, photo.mask)
    for scene in composition.scenes:
        add(scene.id, scene.prompt, scene.background, scene.concept_tokens, scene.class_names, scene.source_images)
        add(scene.image, scene.mask)
    for picture in classes:
        add(picture.class_name, picture.caption, picture.image)
    return digest.hexdigest()
