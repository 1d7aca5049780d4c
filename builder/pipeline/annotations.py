"""People's ranks, flags and captions of a build's scenes, and the columns of the dataset that they change."""

from __future__ import annotations

import json
import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from builder.pipeline.build_folder import BuildFolder
from builder.pipeline.rows import Row
from builder.stages.caption.edited import edited_words
from mycanvas.dataset import open_dataset
from mycanvas.io.checked import digest
from mycanvas.io.text import shown
from mycanvas.ratings.store import RatingStore
from mycanvas.ratings.tables import rank_of

log = logging.getLogger("mycanvas")

ANNOTATED = ("class_names", "concept_tokens", "boxes", "provenance")
"""The columns of a candidate that `changed_columns` reads, beside its id."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Annotations:
    """Ranks, flags and captions by people, by the scene's id.

    ranks: 1 to 5, the rounded mean over raters. flags: the reason that was given first. captions: edited ones.
    """

    ranks: Mapping[str, int] = field(default_factory=dict)
    flags: Mapping[str, str] = field(default_factory=dict)
    captions: Mapping[str, str] = field(default_factory=dict)

    def digest(self) -> str:
        """A sha256 of everything; "" where there is nothing."""
        return digest(asdict(self)) if self.ranks or self.flags or self.captions else ""


def read_annotations(folder: BuildFolder) -> Annotations:
    """Read people's ranks, flags and captions of the scenes of a build.

    Raises:
        StoreError: the file is damaged.
    """
    store = RatingStore(folder.review_file)
    scores: defaultdict[str, list[int]] = defaultdict(list)
    for rating in store.ratings():
        scores[rating.item].append(rating.score)
    flags: dict[str, str] = {}
    for flag in store.flags():
        flags.setdefault(flag.item, flag.reason or "")
    ranks = {item: rank_of(given) for item, given in scores.items()}
    return Annotations(ranks=ranks, flags=flags, captions=store.captions())


def scene_scores(place: Path) -> dict[str, Mapping[str, float | None]]:
    """The automatic scores of the scenes of a build, kept or not; of a copy without .build, of those in the dataset.

    Raises:
        StoreError: a file of the build is damaged.
        InputError: the dataset cannot be read.
    """
    folder = BuildFolder(place)
    if not folder.request_file.is_file():
        return {scene.id: scene.scores for scene in open_dataset(place).scenes()}
    rows = (row for index, _ in folder.markers() for row in folder.candidates(index, ("id", "scores")))
    return {row["id"]: row["scores"] for row in rows}


def changed_columns(rows: Iterable[Row], annotations: Annotations, max_words: int) -> dict[str, Row]:
    """The columns that people change, by the id of the scene: rank, and of an edited caption its prompt too.

    A caption that does not name every object is not used, with a warning.

    Args:
        rows: the candidates, with ANNOTATED.
        annotations: as `read_annotations` returns them.
        max_words: of a caption.
    """
    changes: dict[str, Row] = {}
    for row in rows:
        changed: Row = {"rank": annotations.ranks[row["id"]]} if row["id"] in annotations.ranks else {}
        if row["id"] in annotations.captions:
            changed |= _caption_columns(row, annotations.captions[row["id"]], max_words)
        if changed:
            changes[row["id"]] = changed
    return changes


def _caption_columns(row: Row, caption: str, max_words: int) -> Row:
    words = edited_words(caption, row["class_names"], row["concept_tokens"], row["boxes"], max_words)
    if isinstance(words, str):
        log.warning('the edited caption of scene %s is not used, as %s: "%s"', row["id"], words, shown(caption))
        return {}
    made = {**json.loads(row["provenance"]), "written_by": words.written_by}
    return {"caption": words.caption, "prompt": words.prompt, "provenance": json.dumps(made, sort_keys=True)}
