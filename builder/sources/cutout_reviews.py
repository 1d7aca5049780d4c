"""People's decisions about cut-outs: one file per photo, named by the sha256 of the photo's bytes.

    <sha256 of the photo>.json   the decision; its copies in several folders are compared by their time
    <sha256 of the mask>.png     a mask that replaces the outline that was found

A decision is kept by the photo's content, so that it survives renamed files, moved folders and new builds. One without
a mask is about the outline that was judged, and a file may hold several, about the outlines of several segmenters. It
is user data, not a cache: nothing can make it again, so a damaged file is named and never overwritten by reading.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from builder.records import CutoutReview, Verdict
from builder.sources.outlines import is_outline, same_outline
from mycanvas.errors import InputError, StoreError
from mycanvas.io.checked import read_checked, write_checked
from mycanvas.io.files import OFF, has_sha256, os_errors, write_bytes
from mycanvas.io.regular import read_regular

log = logging.getLogger("mycanvas")

REVIEWS = "MYCANVAS_REVIEWS"
"""The environment variable with the folder of the user's decisions; OFF: they are kept in the builds only."""

MOST_OUTLINES = 16
"""Most outlines of a photo about which decisions are kept."""

_SHA256 = "[0-9a-f]{64}"
_AGAIN = "decide about the photo again with `mycanvas review`, or delete this file to be without the decision"
_MASK_AGAIN = "restore it from a copy, or give the mask again with `mycanvas review`"


@dataclass(frozen=True, kw_only=True, slots=True)
class _Decision:
    """A stored decision. verdict: None withdraws the decision, also where older copies still have it."""

    photo: str
    verdict: Verdict | None
    reason: str
    mask: str | None
    rater: str
    at: str
    outline: str | None = None

    @property
    def is_general(self) -> bool:
        """Whether it counts for every cut-out of the photo."""
        return self.mask is not None or self.outline is None


@dataclass(frozen=True, kw_only=True, slots=True)
class _Stored(_Decision):
    """The content of a decision's file: the newest. others: earlier ones about other outlines, the newest first."""

    others: tuple[_Decision, ...] = ()


class CutoutReviews:
    """The decisions in several folders. The newest copy of each counts.

    Args:
        folders: that of a build, or of the user; the first must be writable to decide, the others are copies. They need
            not exist.
    """

    def __init__(self, folders: Sequence[Path]) -> None:
        self.folders = tuple(folders)
        self._unreadable: set[Path] = set()

    def about(self, photo: str) -> tuple[CutoutReview, ...]:
        """Read the decisions about a photo, the newest first: one for all its cut-outs, or several by outline.

        Args:
            photo: the sha256 of its bytes.

        Raises:
            StoreError: each copy of the decisions is damaged, or is of another version of this program.
            InputError: a file in the first folder cannot be read.
        """
        found, damaged = self._copies(photo)
        if damaged and not found:
            raise damaged[0]
        for error in damaged:
            log.warning("%s; another copy of the decision is used", error)
        return tuple(filter(None, map(_review, _in_force(found))))

    def get(self, photo: str) -> CutoutReview | None:
        """Read the newest decision about a photo, whatever its outline; None if there is none.

        Raises:
            StoreError, InputError: as `about`.
        """
        return next(iter(self.about(photo)), None)

    def every(self) -> Mapping[str, CutoutReview]:
        """Read the newest decision about each photo, by photo; a warning names each that is damaged.

        Raises:
            InputError: the first folder, or a file in it, cannot be read.
        """
        photos: set[str] = set()
        for folder in self.folders:
            with self._tolerant(folder):
                photos |= {*_photos(folder)}
        reviews = {}
        for photo in sorted(photos):
            try:
                review = self.get(photo)
            except StoreError as error:
                log.warning("%s", error)
                continue
            if review:
                reviews[photo] = review
        return reviews

    def mask(self, review: CutoutReview) -> bytes | None:
        """Read the PNG of a decision's mask; None if it has none.

        Raises:
            StoreError: it is damaged or missing in every folder.
            InputError: it cannot be read.
        """
        file = self.mask_file(review)
        return read_regular(file) if file else None

    def mask_file(self, review: CutoutReview) -> Path | None:
        """The file of a decision's mask, in a folder where it is whole; None if the decision has no mask.

        Raises:
            StoreError, InputError: as `mask`.
        """
        if review.mask is None:
            return None
        files = [folder / f"{review.mask}.png" for folder in self.folders]
        for file in files:
            with self._tolerant(file.parent):
                if has_sha256(file, review.mask):
                    return file
        lost = next((file for file in files if os.path.exists(file)), files[0])
        raise StoreError(f"{lost}, a mask that a review gave, is damaged or missing; {_MASK_AGAIN}")

    def put(self, review: CutoutReview, mask_png: bytes | None = None) -> None:
        """Write a decision to all folders; where it cannot be written to a later one, warn.

        Args:
            review: the decision. Its time is the present one if it has none, and is moved behind that of an earlier
                decision, as clocks of machines differ.
            mask_png: the mask, of which `review.mask` is the sha256; None: there is none, or it is stored already.

        Raises:
            ValueError: a sha256 or an outline is none, or the mask and its sha256 do not belong together.
            StoreError: it cannot be written, or the mask is neither given nor stored.
        """
        _check_sha256(review.photo)
        if review.mask is not None:
            _check_sha256(review.mask)
        if review.outline is not None and not is_outline(review.outline):
            raise ValueError(f"expected an outline, got {review.outline!r}")
        if mask_png is None:
            mask_png = self.mask(review)
        elif hashlib.sha256(mask_png).hexdigest() != review.mask:
            raise ValueError(f"expected the sha256 of the given mask in review.mask, got {review.mask}")
        self._add(_Decision(**asdict(review)), mask_png)

    def remove(self, photo: str, outline: str | None = None) -> None:
        """Withdraw the decision about a photo, in all folders and in copies that are not among them.

        Args:
            photo: the sha256 of its bytes.
            outline: decisions about other outlines stay, unless the newest one counts for all; None: all are withdrawn.

        Raises:
            StoreError: this cannot be written.
        """
        _check_sha256(photo)
        newest = next(iter(_in_force(self._copies(photo)[0])), None)
        of_all = newest is not None and newest.is_general
        self._add(
            _Decision(
                photo=photo, verdict=None, reason="", mask=None, rater="", at="", outline=None if of_all else outline
            ),
            mask=None,
        )

    def collect(self, photos: Iterable[str]) -> None:
        """Copy the newest decisions about photos to the first folder, so that they travel with it.

        Raises:
            StoreError: they cannot be written, or a mask is damaged.
            InputError: a file cannot be read.
        """
        if len(self.folders) < 2:
            return
        for photo in photos:
            own, damaged = _read(self.folders[0] / f"{photo}.json")
            found = _in_force(self._copies(photo)[0])
            if not found or found == _in_force(own) or damaged:  # a damaged one may have been newer
                continue
            review = _review(found[0])
            _write(self.folders[0], _stored(found), self.mask(review) if review else None)

    def _copies(self, photo: str) -> tuple[list[_Decision], list[StoreError]]:
        """The decisions of all whole copies, in the order of the folders, and the errors of the others."""
        found: list[_Decision] = []
        damaged: list[StoreError] = []
        for folder in self.folders:
            with self._tolerant(folder):
                whole, errors = _read(folder / f"{photo}.json")
                found += whole
                damaged += errors
        return found, damaged

    @contextmanager
    def _tolerant(self, folder: Path) -> Iterator[None]:
        """Warn once that a folder cannot be read, unless it is the first one: a home may be missing or foreign."""
        try:
            yield
        except InputError as error:
            if folder == self.folders[0]:
                raise
            if folder not in self._unreadable:
                log.warning("decisions about cut-outs in %s are not used: %s", folder, error)
            self._unreadable.add(folder)

    def _add(self, decision: _Decision, mask: bytes | None) -> None:
        """Write a decision, as the newest, with those about other outlines."""
        earlier = self._copies(decision.photo)[0]
        decision = replace(decision, at=_later(decision.at, earlier))
        stored = _stored(_in_force([decision, *earlier]))
        first, *others = self.folders
        _write(first, stored, mask)
        for folder in others:
            try:
                _write(folder, stored, mask)
            except StoreError as error:
                log.warning("the decision about a cut-out is kept in %s only: %s", first, error)


def user_reviews() -> Path | None:
    """The folder of the user's decisions, for other builds of the same photos; None if the user turned it off.

    $MYCANVAS_REVIEWS, else ~/.local/share/mycanvas/reviews, or in $XDG_DATA_HOME.
    """
    given = os.environ.get(REVIEWS, "")
    if given:
        return None if given.lower() == OFF else Path(given).expanduser()
    return Path(os.environ.get("XDG_DATA_HOME") or "~/.local/share").expanduser() / "mycanvas" / "reviews"


def review_for(reviews: Sequence[CutoutReview], outline: Callable[[], str]) -> CutoutReview | None:
    """The review that counts for a cut-out; None if there is none.

    Args:
        reviews: about its photo, the newest first.
        outline: gives that of the cut-out, where a review is of one outline.
    """
    return next((each for each in reviews if each.outline is None or same_outline(each.outline, outline())), None)


def _in_force(decisions: Iterable[_Decision]) -> list[_Decision]:
    """Those that later ones do not replace, the newest first: one for all cut-outs, or several by outline.

    Withdrawals are among them. A decision for all cut-outs replaces all earlier ones, and any later one replaces it.
    """
    kept: list[_Decision] = []
    for each in sorted(decisions, key=lambda decision: decision.at, reverse=True):
        if each.is_general:
            return kept or [each]
        if not any(same_outline(str(each.outline), str(other.outline)) for other in kept):
            kept.append(each)
    return kept[:MOST_OUTLINES]


def _stored(decisions: Sequence[_Decision]) -> _Stored:
    """Decisions about one photo, the newest first, as they are kept in a file."""
    newest, *others = decisions
    return _Stored(**asdict(newest), others=tuple(others))


def _later(given: str, earlier: Iterable[_Decision]) -> str:
    """The time of a new decision: the given one or the present, and later than that of each earlier decision."""
    time = given or datetime.now(UTC).isoformat(timespec="microseconds")
    latest = max((decision.at for decision in earlier), default="")
    if time > latest:
        return time
    try:
        return (datetime.fromisoformat(latest) + timedelta(microseconds=1)).isoformat(timespec="microseconds")
    except ValueError:  # not a time, from another program
        return f"{latest}+"


def _review(decision: _Decision) -> CutoutReview | None:
    """A decision as a review; None if it withdraws one."""
    if decision.verdict is None:
        return None
    return CutoutReview(
        photo=decision.photo,
        verdict=decision.verdict,
        reason=decision.reason,
        mask=decision.mask,
        rater=decision.rater,
        at=decision.at,
        outline=None if decision.is_general else decision.outline,
    )


def _read(file: Path) -> tuple[list[_Decision], list[StoreError]]:
    """The decisions in a file, or the error that it is damaged; neither if there is no such file."""
    with os_errors(file, "read"):
        if not file.exists():
            return [], []
    try:
        stored = read_checked(file, _Stored, _AGAIN)
    except StoreError as error:
        return [], [error]
    newest = _Decision(**{field.name: getattr(stored, field.name) for field in fields(_Decision)})
    for each in (newest, *stored.others):
        if each.photo != file.stem or not re.fullmatch(_SHA256, each.mask or each.photo):
            return [], [StoreError(f"{file} holds the decision about another photo; {_AGAIN}")]
        if each.outline is not None and not is_outline(each.outline):
            return [], [StoreError(f"{file} holds an outline that is none; {_AGAIN}")]
    return [newest, *stored.others], []


def _write(folder: Path, stored: _Stored, mask: bytes | None) -> None:
    """Write a decision, after its mask: a decision never names a mask that is not there."""
    try:
        if mask is not None and not has_sha256(file := folder / f"{stored.mask}.png", str(stored.mask)):
            write_bytes(file, mask)
    except InputError as error:  # a damaged disk, or a folder without the right to read
        raise StoreError(str(error)) from error
    write_checked(folder / f"{stored.photo}.json", asdict(stored))


def _photos(folder: Path) -> Iterator[str]:
    """The photos that a folder has decisions about."""
    with os_errors(folder, "read"):
        if folder.is_dir():
            yield from (name[:-5] for name in os.listdir(folder) if re.fullmatch(rf"{_SHA256}\.json", name))


def _check_sha256(text: str) -> None:
    if not re.fullmatch(_SHA256, text):
        raise ValueError(f"expected a sha256 in hexadecimal, got {text!r}")
