"""The scenes of a build that people rank: every generated one, kept or not, looked up by its id."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest
from typing import Any

import pyarrow as pa

from builder.pipeline.build_folder import BuildFolder
from builder.pipeline.own_files import own_files
from builder.seeds import rng_for
from mycanvas.boxes import Box
from mycanvas.errors import InputError
from mycanvas.io.files import os_errors

COLUMNS = (
    *("id", "caption", "prompt", "boxes", "concept_tokens", "class_names"),
    *("composition", "num_objects", "source_images"),
)
"""The columns of a candidate that are held; none is a picture."""
CANDIDATES = ".build/candidates"
_ORDER_SEED = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class CandidateScene:
    """A generated scene, kept or not: the columns of a candidate, and where its picture is.

    shard, row: of the candidates. The other fields are as in mycanvas/schema.py.
    """

    id: str
    caption: str
    prompt: str
    boxes: tuple[Box, ...]
    concept_tokens: tuple[str, ...]
    class_names: tuple[str, ...]
    composition: str
    num_objects: int
    source_images: tuple[str, ...]
    shard: int
    row: int


class SceneIndex:
    """The generated scenes of a build, in the order of the plan. It is safe to use from several threads."""

    def __init__(self, folder: BuildFolder) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._scenes: Mapping[str, CandidateScene] = {}
        self._made_from: tuple[str, ...] | None = None

    def every(self) -> Mapping[str, CandidateScene]:
        """The scenes by their ids; read again if a build has added some since.

        Raises:
            StoreError: a file of candidates is damaged.
            InputError: one cannot be read.
        """
        with self._lock, os_errors(self._folder.hidden, "read"):
            made_from = tuple(
                f"{file.name} {file.stat().st_mtime_ns}" for file, _ in own_files(self._folder.path, CANDIDATES)
            )
            if made_from != self._made_from:
                self._scenes = {scene.id: scene for scene in self._read()}
                self._made_from = made_from
            return self._scenes

    def get(self, scene_id: str) -> CandidateScene:
        """A scene by its id.

        Raises:
            InputError: there is none.
        """
        scene = self.every().get(scene_id)
        if scene is None:
            raise InputError("there is no such scene in this dataset")
        return scene

    def picture(self, scene_id: str) -> bytes:
        """The JPEG of a scene, as it is stored.

        Raises:
            InputError: there is no such scene.
        """
        scene = self.get(scene_id)
        row = scene.row
        with (
            pa.memory_map(str(self._folder.candidate_file(scene.shard))) as file,
            pa.ipc.open_stream(file) as stream,
        ):
            for batch in stream:
                if row < batch.num_rows:
                    if batch.column("id")[row].as_py() != scene_id:
                        break
                    return bytes(batch.column("image").field("bytes")[row].as_py())
                row -= batch.num_rows
        raise InputError("the scene was made again; reload the page")

    def _read(self) -> list[CandidateScene]:
        return [
            _scene(values, shard, row)
            for shard, _ in self._folder.markers()
            for row, values in enumerate(self._folder.candidates(shard, COLUMNS))
        ]


def _scene(values: Mapping[str, Any], shard: int, row: int) -> CandidateScene:
    texts = {name: tuple(values[name]) for name in ("concept_tokens", "class_names", "source_images")}
    boxes = tuple((x, y, width, height) for x, y, width, height in values["boxes"])
    return CandidateScene(**{**values, **texts, "boxes": boxes, "shard": shard, "row": row})


def order_for(rater: str, scenes: Sequence[CandidateScene]) -> tuple[CandidateScene, ...]:
    """The order in which one person sees the scenes: compositions take turns, each person has an order of their own.

    So whoever stops early has ranked scenes of all compositions, and no two raters tire at the same scenes.
    """
    groups: dict[str, list[CandidateScene]] = {}
    for scene in scenes:
        groups.setdefault(scene.composition, []).append(scene)
    for name, own in groups.items():
        rng_for(_ORDER_SEED, f"{rater}\0{name}", "review").shuffle(own)
    names = sorted(groups)
    rng_for(_ORDER_SEED, rater, "review").shuffle(names)
    turns = zip_longest(*(groups[name] for name in names))
    return tuple(scene for scene in chain.from_iterable(turns) if scene is not None)
