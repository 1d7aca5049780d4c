"""Attribution of photos from the text file nearest to them."""

from __future__ import annotations

from pathlib import Path

import pytest

from builder.sources.concepts import find_concepts
from tests.builder.sources.concept_folders import entry, listing, only, picture


@pytest.mark.parametrize(
    ("place", "believed"),
    [
        ("root/cat2/LICENSE", True),
        ("root/Attribution.md", True),
        ("root/LICENSE.txt", True),
        ("ATTRIBUTION.txt", True),
        ("LICENSE", False),
        ("LICENSE.md", False),
    ],
)
def test_attribution_is_read_from_the_nearest_file(tmp_path: Path, place: str, believed: bool) -> None:
    picture(tmp_path / "root" / "cat2" / "a.png")
    (tmp_path / place).write_text("# Where these come from\n\nPhotos by Ann,\n  CC BY 4.0.\n\nMore words.\n")

    photo = only(find_concepts(tmp_path / "root")).photos[0]

    assert photo.attribution == ("Photos by Ann, CC BY 4.0." if believed else None)


@pytest.mark.parametrize(
    ("place", "believed"), [("root/cat2/LICENSE", True), ("root/ATTRIBUTION", True), ("root/LICENSE", False)]
)
def test_license_beside_a_listed_folder_does_not_apply_to_its_photos(
    tmp_path: Path, place: str, believed: bool
) -> None:
    picture(tmp_path / "root" / "cat2" / "a.png")
    (tmp_path / place).write_text("Terms")

    photo = only(find_concepts(listing(tmp_path / "root", entry("cat2")))).photos[0]

    assert photo.attribution == ("Terms" if believed else None)


def test_the_folder_above_is_found_from_within_the_folder_of_concepts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture(tmp_path / "root" / "cat2" / "a.png")
    (tmp_path / "ATTRIBUTION").write_text("All by Bob")
    monkeypatch.chdir(tmp_path / "root")

    assert only(find_concepts(Path())).photos[0].attribution == "All by Bob"


def test_the_file_beside_the_photos_wins_and_long_text_is_cut(pets: Path) -> None:
    (pets / "ATTRIBUTION").write_text("All by Bob")
    (pets / "cat2" / "LICENSE").write_text("word " * 1000)

    cat, dog = find_concepts(pets).concepts

    assert dog.photos[0].attribution == "All by Bob"
    assert cat.photos[0].attribution is not None
    assert len(cat.photos[0].attribution) == 800
