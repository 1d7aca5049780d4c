"""The best and the worst cut-out of each concept in a report."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from builder.inspect.report.concepts import read_concepts
from builder.pipeline.build_folder import BuildFolder


def test_cutout_accepted_since_the_build_waits_for_the_next_one(selected: Path) -> None:
    folder = BuildFolder.open(selected)
    photos = [replace(photo, used=True, planned=True) for photo in folder.sources().photos]
    accepted = replace(photos[0], planned=False, review="use", why="accepted in review")

    concept = read_concepts(folder, [accepted, *photos[1:]], {}, 10**6)[0]

    assert (concept.used, concept.waiting) == (concept.photos - 1, 1)
    assert [(each.used, each.waits) for each in concept.cutouts if each.id == accepted.id] == [(False, True)]


def test_cutout_that_a_person_refused_is_never_the_best(selected: Path) -> None:
    folder = BuildFolder.open(selected)
    photos = folder.sources().photos
    before = read_concepts(folder, photos, {}, 10**6)[0]
    decided = [replace(photo, review="refuse") if photo.id == before.best.id else photo for photo in photos]

    after = read_concepts(folder, decided, {}, 10**6)[0]

    assert after.worst is not None
    assert after.worst.id == before.best.id
    assert after.best.id == before.cutouts[1].id
