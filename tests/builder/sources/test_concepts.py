"""Concepts and their usable photos in a folder."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from builder.sources.concepts import FoundConcepts, find_concepts
from mycanvas.errors import InputError
from tests.builder.sources.concept_folders import only, picture


def reasons(found: FoundConcepts) -> dict[str, str]:
    assert {each.stage for each in found.rejected} <= {"concepts"}
    return {each.sample_id: each.reason for each in found.rejected}


def test_each_folder_is_a_concept_with_its_photos_in_order(pets: Path) -> None:
    cat, dog = find_concepts(pets).concepts

    assert (cat.name, cat.token, cat.class_noun) == ("cat2", "<cat2>", "cat")
    assert [photo.id for photo in cat.photos] == ["cat2/a.JPG", "cat2/b.png"]
    assert dog.photos[0].sha256 == hashlib.sha256((pets / "dog6" / "x.webp").read_bytes()).hexdigest()
    assert not find_concepts(pets).rejected


def test_all_photos_of_the_test_concepts_are_found(photos: Path) -> None:
    found = find_concepts(photos)

    assert {concept.name for concept in found.concepts} == {path.name for path in photos.iterdir() if path.is_dir()}
    assert not found.rejected


def test_unusable_photos_are_rejected_by_name_and_the_others_are_kept(pets: Path) -> None:
    cat = pets / "cat2"
    (cat / "c.jpg").write_text("not a picture")
    (cat / "d.png").write_bytes(b"")
    (cat / "e.png").mkdir()
    (cat / "f.png").write_bytes((cat / "b.png").read_bytes()[:-40])
    (cat / "g.heic").write_bytes(b"phone")
    (cat / "h.jpg").symlink_to("h.jpg")
    (cat / "notes.txt").write_text("passed over")
    (cat / ".hidden.jpg").write_text("passed over")
    picture(pets / "loose.png")

    found = find_concepts(pets)

    assert [len(concept.photos) for concept in found.concepts] == [2, 1]
    assert list(reasons(found)) == [
        "loose.png",
        *(f"cat2/{name}" for name in ("c.jpg", "d.png", "e.png", "f.png", "g.heic", "h.jpg")),
    ]
    assert "not a picture in JPEG" in reasons(found)["cat2/c.jpg"]
    assert "a folder" in reasons(found)["cat2/e.png"]
    assert "damaged" in reasons(found)["cat2/f.png"]
    assert "not a picture in JPEG" in reasons(found)["cat2/g.heic"]
    assert reasons(found)["loose.png"] == "not in the folder of a concept"


def test_a_picture_that_a_concept_holds_twice_is_used_once(pets: Path) -> None:
    (pets / "cat2" / "copy.png").write_bytes((pets / "cat2" / "b.png").read_bytes())

    found = find_concepts(pets)

    assert [photo.id for photo in found.concepts[0].photos] == ["cat2/a.JPG", "cat2/b.png"]
    assert reasons(found) == {"cat2/copy.png": "the same file as cat2/b.png"}


def test_a_concept_without_a_usable_photo_is_dropped_with_the_reason(pets: Path) -> None:
    (pets / "cup").mkdir()
    (pets / "cup" / "a.jpg").write_text("text")
    (pets / "empty").mkdir()

    found = find_concepts(pets)

    assert [concept.name for concept in found.concepts] == ["cat2", "dog6"]
    assert reasons(found)["cup"] == "its 1 picture cannot be used"
    assert reasons(found)["empty"].startswith("no .jpg, .jpeg, .png, .webp file")


def test_when_nothing_is_usable_the_error_gives_counts_and_reasons(tmp_path: Path) -> None:
    (tmp_path / "cat").mkdir()
    (tmp_path / "cat" / "a.jpg").write_text("text")

    with pytest.raises(InputError, match=r"(?s)no usable photo in 1 folder of .*cat/a\.jpg: not a picture"):
        find_concepts(tmp_path)


def test_photos_without_a_folder_of_their_own_are_explained(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")

    with pytest.raises(InputError, match=r"holds 1 photo and no folder; expected a folder per concept: .*/<concept>/"):
        find_concepts(tmp_path)


def test_a_missing_or_empty_folder_or_a_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="none does not exist; expected a folder of folders of photos"):
        find_concepts(tmp_path / "none")
    with pytest.raises(InputError, match="no folders in"):
        find_concepts(tmp_path)
    with pytest.raises(InputError, match="is a file; expected a folder"):
        find_concepts(picture(tmp_path / "a.png"))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_folder_costs_only_its_concept(pets: Path) -> None:
    (pets / "cat2").chmod(0)
    try:
        found = find_concepts(pets)
    finally:
        (pets / "cat2").chmod(0o700)

    assert only(found).name == "dog6"
    assert "Permission denied" in reasons(found)["cat2"]


def test_links_are_followed_to_files_and_a_loop_ends(pets: Path) -> None:
    target = picture(pets.parent / f"{pets.name}-elsewhere" / "z.png", 9)
    (pets / "dog6" / "linked.png").symlink_to(target)
    (pets / "loop").symlink_to(pets)

    found = find_concepts(pets)

    assert [photo.id for photo in found.concepts[1].photos] == ["dog6/linked.png", "dog6/x.webp"]
    assert list(reasons(found)) == ["loop"]


def test_name_of_a_folder_without_pictures_is_not_checked(pets: Path) -> None:
    (pets / "42+").mkdir()

    assert list(reasons(find_concepts(pets))) == ["42+"]
