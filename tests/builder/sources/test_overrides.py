"""A user's decisions about single photos: masks beside them, `use` and `leave_out` in concepts.toml."""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image

from builder.records import CutoutReview, PhotoFile
from builder.sources.concepts import FoundConcepts, find_concepts
from builder.sources.cutout_reviews import CutoutReviews
from builder.sources.overrides import with_reviews
from builder.sources.photos import read_photo
from mycanvas.errors import ConfigError, InputError
from tests.builder.sources.concept_folders import described, only, picture

SIZE = (120, 80)


def mask(path: Path, size: tuple[int, int] = SIZE, *, value: int = 255, mode: str = "L") -> Path:
    """A mask whose left half is bright."""
    image = Image.new(mode, size, 0)
    image.paste((value,) * len(image.getbands()), (0, 0, size[0] // 2, size[1]))
    image.save(path)
    return path


@pytest.fixture
def mugs(tmp_path: Path) -> Path:
    """A concept with two photos."""
    for index, name in enumerate(("00.png", "01.png")):
        (tmp_path / "mug").mkdir(exist_ok=True)
        Image.new("RGB", SIZE, (90 * index, 60, 60)).save(tmp_path / "mug" / name)
    return tmp_path


def photos(found: FoundConcepts) -> dict[str, PhotoFile]:
    return {photo.path.name: photo for photo in only(found).photos}


def test_mask_beside_a_photo_is_its_mask_and_no_photo(mugs: Path) -> None:
    beside = mask(mugs / "mug" / "00.mask.png")

    found = photos(find_concepts(mugs))

    assert list(found) == ["00.png", "01.png"]
    assert found["00.png"].mask is not None
    assert found["00.png"].mask.path == beside
    assert found["00.png"].mask.sha256 == hashlib.sha256(beside.read_bytes()).hexdigest()
    assert found["01.png"].mask is None


@pytest.mark.parametrize(("mode", "value"), [("L", 255), ("1", 1), ("RGB", 255), ("LA", 255), ("RGBA", 255)])
def test_mask_is_read_at_the_size_of_its_photo(mugs: Path, mode: str, value: int) -> None:
    mask(mugs / "mug" / "00.mask.png", mode=mode, value=value)

    photo = read_photo(photos(find_concepts(mugs))["00.png"], 60)

    assert photo.pixels.shape == (40, 60, 3)
    assert photo.mask is not None
    assert (photo.mask[:, :29] == 1).all()
    assert not photo.mask[:, 31:].any()


def test_mask_hides_no_more_than_a_transparent_photo_shows(tmp_path: Path) -> None:
    (tmp_path / "mug").mkdir()
    image = Image.new("RGBA", SIZE, (0, 0, 0, 0))
    image.paste((200, 60, 60, 255), (30, 20, 90, 60))
    image.save(tmp_path / "mug" / "00.png")
    mask(tmp_path / "mug" / "00.mask.png")

    photo = read_photo(photos(find_concepts(tmp_path))["00.png"], 200)

    assert photo.given is photo.mask
    assert photo.mask is not None
    assert np.argwhere(photo.mask > 0.5).min(axis=0).tolist() == [20, 30]
    assert np.argwhere(photo.mask > 0.5).max(axis=0).tolist() == [59, 59]


def test_mask_of_a_turned_photo_is_upright(tmp_path: Path) -> None:
    (tmp_path / "mug").mkdir()
    turned = Image.Exif()
    turned[ExifTags.Base.Orientation] = 6
    Image.new("RGB", SIZE).save(tmp_path / "mug" / "00.jpg", exif=turned)
    mask(tmp_path / "mug" / "00.mask.png", (SIZE[1], SIZE[0]))

    assert photos(find_concepts(tmp_path))["00.jpg"].mask is not None


def test_photo_with_an_unusable_mask_has_the_reason_as_its_flaw(mugs: Path) -> None:
    mask(mugs / "mug" / "00.mask.png", (60, 40))
    mask(mugs / "mug" / "01.mask.png", value=1)
    Image.new("RGB", SIZE, (9, 9, 9)).save(mugs / "mug" / "02.png")
    (mugs / "mug" / "02.mask.png").write_text("no picture")
    picture(mugs / "mug" / "03.png")

    flaws = {name: photo.flaw for name, photo in photos(find_concepts(mugs)).items()}

    assert flaws["00.png"] == "its mask 00.mask.png: 60x40 pixels; expected the size of the photo, 120x80"
    assert flaws["01.png"] == "its mask 01.mask.png: black everywhere; expected white where the object is"
    assert str(flaws["02.png"]).startswith("its mask 02.mask.png: not a picture in JPEG")
    assert flaws["03.png"] is None


def test_mask_without_a_photo_is_reported(mugs: Path, caplog: pytest.LogCaptureFixture) -> None:
    mask(mugs / "mug" / "07.mask.png")

    assert not find_concepts(mugs).rejected
    assert caplog.messages == [f"{mugs / 'mug' / '07.mask.png'} is not used: no photo beside it is called 07"]


def test_mask_that_changed_since_it_was_found_is_refused(mugs: Path) -> None:
    beside = mask(mugs / "mug" / "00.mask.png")
    photo = photos(find_concepts(mugs))["00.png"]
    mask(beside, value=200)

    with pytest.raises(InputError, match=r"00\.mask\.png has changed since the build was planned"):
        read_photo(photo, 60)


def test_concepts_toml_names_photos_to_use_and_to_leave_out(mugs: Path, caplog: pytest.LogCaptureFixture) -> None:
    mask(mugs / "mug" / "01.mask.png")
    described(mugs, '[mug]\nuse = ["00.png"]\nleave_out = ["01.png"]\n')

    with caplog.at_level(logging.WARNING):
        found = photos(find_concepts(mugs))

    assert (found["00.png"].choice, found["01.png"].choice) == ("use", "leave_out")
    assert caplog.messages == [
        "mug/01.png is used although concepts.toml leaves it out: the mask beside it comes first"
    ]


def test_names_that_no_photo_has_and_contradictions_are_reported_together(mugs: Path) -> None:
    mask(mugs / "mug" / "00.mask.png")
    described(mugs, '[mug]\nuse = ["00.jpg", "01.png", "00.mask.png"]\nleave_out = ["01.png"]\n')

    with pytest.raises(ConfigError) as error:
        find_concepts(mugs)

    place, folder = f"{mugs / 'concepts.toml'}: mug", mugs / "mug"
    assert str(error.value).splitlines() == [
        f"{place}.use: no photo in {folder} is called 00.jpg; did you mean 00.png?",
        f"{place}.use: no photo in {folder} is called 00.mask.png; did you mean 00.png?",
        f"{place}: 01.png is both in use and in leave_out; remove it from one of them",
    ]


@pytest.mark.parametrize(("size", "flaw"), [((60, 40), None), ((60, 60), "its mask from review: 60x60 pixels")])
def test_mask_from_review_may_be_smaller_than_a_large_photo_but_not_of_other_proportions(
    mugs: Path, tmp_path: Path, size: tuple[int, int], flaw: str | None
) -> None:
    found, reviews = find_concepts(mugs), CutoutReviews([tmp_path / "reviews"])
    content = mask(tmp_path / "mask.png", size).read_bytes()
    photo = photos(found)["00.png"]
    reviews.put(
        CutoutReview(photo=photo.sha256, verdict="use", mask=hashlib.sha256(content).hexdigest()), mask_png=content
    )

    reviewed = with_reviews(found.concepts, reviews)[0].photos[0]

    assert (reviewed.flaw or "").startswith(flaw or "")
    assert bool(reviewed.flaw) == bool(flaw)
    if not flaw:
        mask_read = read_photo(reviewed, 120).mask
        assert mask_read is not None
        assert mask_read.shape == (80, 120)
        assert (mask_read[:, :59].min(), mask_read[:, 61:].max()) == (1, 0)
