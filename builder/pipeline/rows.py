"""Rows of the dataset: a candidate's encoded columns, their schema, and record batches."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa

from builder.records import Candidate
from mycanvas.io.images import encode_index_mask, encode_jpeg
from mycanvas.schema import SCORES, dataset_schema

BATCH_ROWS = 8
"""Rows of one Arrow record batch: a reader of a memory-mapped shard touches this many to get one row."""

SCORE_COLUMNS = ("id", "composition", "num_objects", "source_images", "scores", "fingerprint")
"""The columns of a candidate by which it is selected; they have a file of their own."""

Row = dict[str, Any]
"""Column name -> value, as pyarrow accepts it."""


def candidate_row(candidate: Candidate, provenance: Mapping[str, Any]) -> Row:
    """Encode a candidate as a row of `candidate_schema`; the background and the models are added to `provenance`."""
    captioned = candidate.captioned
    scene = captioned.scene
    canvas = scene.canvas
    sample = canvas.layout.setting.sample
    made = {**provenance, "background": f"procedural:{sample.background.scene}"}
    if sample.background.photo:
        made["background"] = sample.background.photo.id
    if canvas.layout.placed_by:
        made["placed_by"] = canvas.layout.placed_by
    if captioned.written_by:
        made["written_by"] = captioned.written_by
    return {
        "id": sample.id,
        "image": {"bytes": encode_jpeg(scene.image), "path": None},
        "caption": captioned.caption,
        "prompt": captioned.prompt,
        "long_caption": captioned.long_caption,
        "boxes": [list(box) for box in canvas.boxes],
        "concept_tokens": [concept.token for concept in sample.concepts],
        "class_names": [concept.class_noun for concept in sample.concepts],
        "mask": {"bytes": encode_index_mask(canvas.mask), "path": None},
        "background": sample.background.phrase,
        "composition": sample.composition,
        "num_objects": len(sample.concepts),
        "source_images": list(sample.photo_ids),
        "scores": {name: _stored(candidate.scores.get(name)) for name in SCORES},
        "rank": None,
        "provenance": json.dumps(made, sort_keys=True),
        "fingerprint": candidate.fingerprint,
    }


def _stored(score: float | None) -> float | None:
    """A score as it is read from a file: a bound must judge it in the same way before and after."""
    return None if score is None else float(np.float32(score))


def candidate_schema() -> pa.Schema:
    """The dataset's columns, and the fingerprint that select compares."""
    return dataset_schema().append(pa.field("fingerprint", pa.uint64()))


@cache
def score_schema() -> pa.Schema:
    """The columns of `candidate_schema` that select reads: no pictures."""
    return pa.schema([candidate_schema().field(name) for name in SCORE_COLUMNS])


def with_every_score(table: pa.Table) -> pa.Table:
    """Score columns with all scores: those that an earlier version did not have are null."""
    if table.schema == score_schema():
        return table
    return pa.Table.from_pylist(table.to_pylist(), schema=score_schema())


def batches(rows: Iterable[Row], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """Group rows into record batches of BATCH_ROWS."""
    held: list[Row] = []
    for row in rows:
        held.append(row)
        if len(held) == BATCH_ROWS:
            yield pa.RecordBatch.from_pylist(held, schema=schema)
            held = []
    if held:
        yield pa.RecordBatch.from_pylist(held, schema=schema)
