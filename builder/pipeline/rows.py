"""A candidate as a row of the dataset: what is encoded, and how."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from builder.records import Candidate
from mycanvas.io.images import encode_index_mask, encode_jpeg
from mycanvas.schema import SCORES

Row = dict[str, Any]
"""Column name -> value, as pyarrow takes it."""


def candidate_row(candidate: Candidate, provenance: Mapping[str, Any]) -> Row:
    """The columns of DESIGN.md's table for one scene, and the fingerprint that select compares."""
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
        "boxes": [list(box) for box in canvas.boxes],
        "concept_tokens": [concept.token for concept in sample.concepts],
        "class_names": [concept.class_noun for concept in sample.concepts],
        "mask": {"bytes": encode_index_mask(canvas.mask), "path": None},
        "background": sample.background.phrase,
        "composition": sample.composition,
        "num_objects": len(sample.concepts),
        "source_images": list(sample.photo_ids),
        "scores": {name: candidate.scores.get(name) for name in SCORES},
        "rank": None,
        "provenance": json.dumps(made, sort_keys=True),
        "fingerprint": candidate.fingerprint,
    }
