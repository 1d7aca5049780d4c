"""The best and the worst cut-out of each concept in a report."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from builder.inspect.report.concepts import read_concepts
from builder.pipeline.build_folder import BuildFolder


def test_cutout_that_a_person_refused_is_never_the_best(selected: Path) -> None:
    folder = BuildFolder.open(selected)
    photos = folder.sources().photos
    before = read_concepts(folder, photos, {}, 10**6)[0]
    decided = [replace(photo, review="refuse") if photo.id == before.best.id else photo for photo in photos]

    after = read_concepts(folder, decided, {}, 10**6)[0]

    assert after.worst is not None
    assert after.worst.id == before.best.id
    assert after.best.id == before.cutouts[1].id
