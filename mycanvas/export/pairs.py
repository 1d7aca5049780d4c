"""Pairs of references and the scene that shows them, as files and rows.

    scenes/<id>.jpg         as stored
    references/<name>.jpg   one file for each photo; scenes share them

Reference i of a scene is of the object of boxes[i]. Captions have no tokens: the references show which object is
meant, and these models do not know tokens.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from mycanvas.dataset import Scene
from mycanvas.export.masks import size_of
from mycanvas.export.references import References
from mycanvas.export.source import Source
from mycanvas.io.text import one_line


@dataclass(frozen=True, kw_only=True, slots=True)
class Pair:
    """A scene and its references.

    image: the path of its picture; references: those of its references. Both are relative to the export.
    photos: the ids of the references. size: width and height of the scene in pixels.
    """

    scene: Scene
    caption: str
    image: str
    references: tuple[str, ...]
    photos: tuple[str, ...]
    size: tuple[int, int]


def write_pairs(source: Source, output: Path) -> dict[int, list[Pair]]:
    """Write the pictures of all scenes and of their references.

    Returns:
        The pairs by their number of references, which trainers cannot mix in a batch, fewest first. Their scenes have
        no pictures.

    Raises:
        InputError: a picture cannot be read, or a concept has too few photos.
    """
    references = References(source)
    (output / "scenes").mkdir()
    (output / "references").mkdir()
    groups: defaultdict[int, list[Pair]] = defaultdict(list)
    used: set[str] = set()
    for pair in pairs_of(source, references):
        (output / pair.image).write_bytes(pair.scene.image)
        used.update(pair.photos)
        groups[len(pair.references)].append(replace(pair, scene=replace(pair.scene, image=b"", mask=b"")))
    for photo_id, picture in references.pictures(used):
        (output / "references" / references.name(photo_id)).write_bytes(picture)
    return dict(sorted(groups.items()))


def sample_pairs(pairs: Iterable[Pair], most: int) -> list[Pair]:
    """The first pair of each composition, at most this many, for sample pictures during the training."""
    first: dict[str, Pair] = {}
    for pair in pairs:
        first.setdefault(pair.scene.composition, pair)
    return list(first.values())[:most]


def pairs_of(source: Source, references: References, split: str | None = None) -> Iterator[Pair]:
    """The pairs of a split, or of all splits, in order."""
    for scene in source.scenes(split):
        photos = references.of(scene)
        yield Pair(
            scene=scene,
            caption=one_line(scene.caption, f"scene {scene.id}"),
            image=f"scenes/{scene.id}.jpg",
            references=tuple(f"references/{references.name(photo_id)}" for photo_id in photos),
            photos=photos,
            size=size_of(scene),
        )
