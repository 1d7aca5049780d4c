"""Decisions about cut-outs: the newest copy counts, damage is named, nothing is lost."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from builder.records import CutoutReview
from builder.sources.cutout_reviews import CutoutReviews, review_for, user_reviews
from builder.sources.outlines import outline_of
from mycanvas.errors import StoreError
from mycanvas.io.checked import read_checked, write_checked

DUCK, TEAPOT = (hashlib.sha256(name).hexdigest() for name in (b"duck", b"teapot"))
MASK = b"a mask, as PNG"
MASK_SHA256 = hashlib.sha256(MASK).hexdigest()


def refused(photo: str = DUCK, **changes: str) -> CutoutReview:
    return replace(CutoutReview(photo=photo, verdict="refuse", reason="a hand is in it", rater="Ada"), **changes)


def fixed(photo: str = DUCK) -> CutoutReview:
    return CutoutReview(photo=photo, verdict="use", mask=MASK_SHA256)


@pytest.fixture
def both(tmp_path: Path) -> CutoutReviews:
    """The decisions of a build and of the user, in folders that do not exist yet."""
    return CutoutReviews([tmp_path / "build", tmp_path / "user"])


def alone(reviews: CutoutReviews, index: int) -> CutoutReviews:
    return CutoutReviews([reviews.folders[index]])


def test_decision_is_read_from_every_folder_as_it_was_made(both: CutoutReviews) -> None:
    assert both.get(DUCK) is None
    assert both.every() == {}

    both.put(refused())
    both.put(fixed(TEAPOT), MASK)

    for reviews in (both, alone(both, 0), alone(both, 1)):
        found = reviews.get(DUCK)
        assert found is not None
        assert replace(found, at="") == refused()
        assert found.at.endswith("+00:00")
        assert list(reviews.every()) == sorted([DUCK, TEAPOT])
        assert reviews.mask(reviews.every()[TEAPOT]) == MASK
        assert reviews.mask(found) is None


def test_newest_copy_counts_wherever_it_is(both: CutoutReviews) -> None:
    both.put(refused())
    alone(both, 1).put(fixed(), MASK)

    found = both.get(DUCK)

    assert found is not None
    assert found.verdict == "use"
    assert both.mask(found) == MASK


def test_later_decision_counts_although_the_clock_of_an_earlier_one_was_ahead(both: CutoutReviews) -> None:
    both.put(refused(at="2999-01-01T00:00:00.000000+00:00"))
    both.put(CutoutReview(photo=DUCK, verdict="use"))

    found = both.get(DUCK)

    assert found is not None
    assert (found.verdict, found.at) == ("use", "2999-01-01T00:00:00.000001+00:00")


def test_withdrawn_decision_is_withdrawn_in_folders_that_still_have_it(both: CutoutReviews, tmp_path: Path) -> None:
    both.put(refused())
    moved = shutil.copytree(both.folders[0], tmp_path / "moved")

    both.remove(DUCK)

    assert both.get(DUCK) is None
    assert both.every() == {}
    assert CutoutReviews([moved, both.folders[1]]).get(DUCK) is None
    both.put(refused())
    assert both.get(DUCK) is not None


def test_decisions_of_some_photos_are_collected_in_the_first_folder(both: CutoutReviews) -> None:
    user = alone(both, 1)
    for photo in (DUCK, TEAPOT):
        user.put(fixed(photo), MASK)

    both.collect([DUCK, hashlib.sha256(b"other").hexdigest()])
    first = alone(both, 0)
    assert first.every() == {DUCK: user.every()[DUCK]}
    assert first.mask(first.every()[DUCK]) == MASK

    user.remove(DUCK)
    both.collect([DUCK])
    assert first.get(DUCK) is None


@pytest.mark.parametrize("content", [b"", b"{}", b"[1, 2]", b"\xff\x00", b'{"format": 2, "checksum": "x"}'])
def test_damaged_decision_is_named_and_can_be_made_again(
    both: CutoutReviews, caplog: pytest.LogCaptureFixture, content: bytes
) -> None:
    both.put(refused())
    both.put(refused(TEAPOT))
    files = [folder / f"{DUCK}.json" for folder in both.folders]
    files[0].write_bytes(content)

    found = both.get(DUCK)  # the other copy is whole
    assert found is not None
    assert replace(found, at="") == refused()
    assert str(files[0]) in caplog.text

    files[1].write_bytes(content)
    with pytest.raises(StoreError, match=rf"{DUCK}\.json .*(`mycanvas review`|build into another)"):
        both.get(DUCK)
    assert list(both.every()) == [TEAPOT]
    assert files[0].read_bytes() == content

    both.put(refused())
    assert both.get(DUCK) is not None


def test_decision_in_a_file_of_another_photo_is_refused(both: CutoutReviews) -> None:
    alone(both, 0).put(refused(TEAPOT))
    (both.folders[0] / f"{TEAPOT}.json").rename(both.folders[0] / f"{DUCK}.json")

    with pytest.raises(StoreError, match="holds the decision about another photo; decide about"):
        both.get(DUCK)


def test_mask_name_that_leads_out_of_the_folder_is_refused(both: CutoutReviews, tmp_path: Path) -> None:
    (tmp_path / "secret.png").write_bytes(MASK)
    values = {"photo": DUCK, "verdict": "use", "reason": "", "mask": "../secret", "rater": "", "at": ""}
    write_checked(both.folders[0] / f"{DUCK}.json", values)

    with pytest.raises(StoreError):
        both.get(DUCK)


def test_damaged_mask_is_named_unless_another_copy_is_whole(both: CutoutReviews) -> None:
    both.put(fixed(), MASK)
    masks = [folder / f"{MASK_SHA256}.png" for folder in both.folders]
    masks[0].write_bytes(MASK[:-1])

    assert both.mask(fixed()) == MASK

    masks[1].unlink()
    with pytest.raises(StoreError, match=rf"build/{MASK_SHA256}\.png, a mask .* is damaged or missing; restore it"):
        both.mask(fixed())
    both.put(fixed(), MASK)
    assert alone(both, 0).mask(fixed()) == alone(both, 1).mask(fixed()) == MASK


def test_mask_must_be_the_one_that_the_decision_names(both: CutoutReviews) -> None:
    with pytest.raises(ValueError, match="expected the sha256 of the given mask"):
        both.put(fixed(), b"another")
    with pytest.raises(StoreError, match="damaged or missing"):
        both.put(fixed())
    with pytest.raises(ValueError, match="expected a sha256 in hexadecimal"):
        both.put(refused("../../etc/passwd"))
    assert both.every() == {}


def test_folder_of_the_user_that_cannot_be_used_is_only_reported(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "home").write_text("no folder, also for root")
    both = CutoutReviews([tmp_path / "build", tmp_path / "home" / "reviews"])

    both.put(refused())

    assert both.get(DUCK) is not None
    assert list(both.every()) == [DUCK]
    assert "is kept in" in caplog.messages[0]
    assert "home/reviews" in caplog.messages[0]
    with pytest.raises(StoreError, match="home/reviews"):
        alone(both, 1).put(refused())


def test_folder_of_the_user_follows_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert user_reviews() is None
    monkeypatch.setenv("MYCANVAS_REVIEWS", str(tmp_path))
    assert user_reviews() == tmp_path
    monkeypatch.delenv("MYCANVAS_REVIEWS")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert user_reviews() == tmp_path / "data" / "mycanvas" / "reviews"
    monkeypatch.delenv("XDG_DATA_HOME")
    assert user_reviews() == Path.home() / ".local" / "share" / "mycanvas" / "reviews"


def test_mask_is_named_by_a_sha256_only(both: CutoutReviews, tmp_path: Path) -> None:
    (tmp_path / "secret.png").write_bytes(MASK)

    with pytest.raises(ValueError, match="expected a sha256 in hexadecimal"):
        both.put(CutoutReview(photo=DUCK, verdict="use", mask="../secret"))
    assert both.get(DUCK) is None


def square(first: int) -> str:
    """The outline of a square that begins in this row and column."""
    mask = np.zeros((100, 100), bool)
    mask[first : first + 30, first : first + 30] = True
    return outline_of(mask)


def verdicts(reviews: CutoutReviews, *outlines: str) -> list[str | None]:
    """The verdicts on cut-outs of the same photo."""
    found = (review_for(reviews.about(DUCK), lambda each=each: each) for each in outlines)  # type: ignore[misc]
    return [review.verdict if review else None for review in found]


def test_decision_counts_for_the_outline_that_was_judged_beside_those_about_others(both: CutoutReviews) -> None:
    one, other = square(10), square(50)
    both.put(refused(outline=one))
    assert verdicts(both, one, other) == ["refuse", None]

    alone(both, 1).put(CutoutReview(photo=DUCK, verdict="use", outline=other))  # in another build

    assert verdicts(both, one, other, square(30)) == ["refuse", "use", None]
    both.collect([DUCK])
    assert verdicts(alone(both, 0), one, other) == ["refuse", "use"]
    both.put(CutoutReview(photo=DUCK, verdict="use", outline=one))
    assert verdicts(both, one, other) == ["use", "use"]
    assert len(both.about(DUCK)) == 2


def test_withdrawn_decision_about_one_outline_leaves_that_about_another(both: CutoutReviews) -> None:
    one, other = square(10), square(50)
    for outline in (one, other):
        both.put(refused(outline=outline))

    alone(both, 0).remove(DUCK, one)

    assert verdicts(both, one, other) == [None, "refuse"]
    both.remove(DUCK)
    assert verdicts(both, one, other) == [None, None]


@pytest.mark.parametrize("general", [refused(), fixed()])
def test_decision_with_a_mask_or_of_an_earlier_version_counts_for_every_outline_until_a_later_one(
    both: CutoutReviews, general: CutoutReview
) -> None:
    one, other = square(10), square(50)
    both.put(CutoutReview(photo=DUCK, verdict="refuse", outline=one))
    both.put(general, MASK if general.mask else None)
    assert verdicts(both, one, other) == [general.verdict] * 2
    assert len(both.about(DUCK)) == 1

    both.put(refused(outline=other))

    assert verdicts(both, one, other) == [None, "refuse"]
    both.put(general, MASK if general.mask else None)
    both.remove(DUCK, one)
    assert verdicts(both, one, other) == [None, None]


def test_file_of_an_earlier_version_is_read_and_a_false_outline_is_named(both: CutoutReviews) -> None:
    both.put(refused())
    for folder in both.folders:
        stored = read_checked(folder / f"{DUCK}.json", dict)
        write_checked(folder / f"{DUCK}.json", {key: stored[key] for key in stored.keys() - {"outline", "others"}})
    assert verdicts(both, square(10)) == ["refuse"]

    for folder in both.folders:
        write_checked(folder / f"{DUCK}.json", {**stored, "outline": "eJw="})
    with pytest.raises(StoreError, match=rf"{DUCK}\.json holds an outline that is none; decide about the photo again"):
        both.get(DUCK)
    with pytest.raises(ValueError, match="expected an outline, got 'eJw='"):
        both.put(refused(outline="eJw="))
