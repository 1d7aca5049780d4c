"""The cut-outs of a build that people judge, and their decisions. Pictures are looked up by the photo's sha256."""

from __future__ import annotations

import hashlib
import io
import threading
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from builder.pipeline.build_folder import BuildFolder
from builder.pipeline.cutout_decisions import leaving
from builder.pipeline.prepared_files import read_cutout, read_encoded, read_outline
from builder.pipeline.reviewed_cutouts import build_reviews, current_sources
from builder.pipeline.source_photos import CutoutUse, format_quality
from builder.records import Alpha, CutoutReview, Rgba, Verdict
from builder.sources.overrides import has_proportions
from builder.stages.segment.base import find_smallness
from mycanvas.errors import InputError
from mycanvas.io.images import decode_mask, decode_rgb, encode_png

SMALL = 400
"""Longest side in pixels of pictures in grids."""
PICTURES_HELD = 600
MAX_MASK_BYTES = 32 * 2**20
MAX_REASON = 200
NEW_OUTLINE = "the new outline, in a build with another --output"
"""Why a cut-out is used whose outline was replaced since the build."""
OTHERS = 4
"""Most further photos of a concept that are shown beside a scene."""


class ReviewedCutouts:
    """The photos of a build with their cut-outs and the decisions about them. Safe to use from several threads.

    Args:
        folder: the build; it may be unfinished.
    """

    def __init__(self, folder: BuildFolder) -> None:
        self._folder = folder
        self._reviews = build_reviews(folder)
        self._held: tuple[int, Mapping[str, CutoutUse]] | None = None
        self._writing = threading.Lock()
        self._small_photo = lru_cache(maxsize=PICTURES_HELD)(self._make_small_photo)
        self._small_cutout = lru_cache(maxsize=PICTURES_HELD)(self._make_small_cutout)

    def every(self) -> Mapping[str, CutoutUse]:
        """The photos with their present decisions, by the sha256 of their files; empty before there are any.

        Raises:
            StoreError: the file of sources, or a decision, is damaged.
        """
        if not self._folder.sources_file.is_file():
            return {}
        return {photo.sha256: photo for photo in current_sources(self._folder).photos if photo.sha256 and photo.key}

    def photo(self, sha256: str) -> CutoutUse:
        """A photo by the sha256 of its file, as the build has it.

        Raises:
            InputError: the build has none.
        """
        found = self._stored().get(sha256)
        if found is None:
            raise InputError("there is no such photo in this dataset")
        return found

    def listed(self) -> list[dict[str, Any]]:
        """The photos of each concept with the present decisions, as the page gets them."""
        if not self._folder.sources_file.is_file():
            return []
        concepts: dict[str, dict[str, Any]] = {}
        for photo in current_sources(self._folder).every_photo():
            found = concepts.setdefault(
                photo.concept, {"name": photo.concept, "noun": photo.class_noun, "photos": [], "unreadable": []}
            )
            if photo.sha256 and photo.key:
                found["photos"].append(_described(photo))
            else:
                found["unreadable"].append(f"{photo.id}: {photo.why}")
        return list(concepts.values())

    def described(self, sha256: str) -> dict[str, Any]:
        """One photo with its present decision, as the page gets it."""
        return _described(self.every()[sha256])

    def shown_photo(self, photo_id: str) -> dict[str, Any]:
        """The photo that a scene shows, by its id, and some others of its concept; sha256: None if not known."""
        photos = self._stored()
        found = next((sha256 for sha256, photo in photos.items() if photo.id == photo_id), None)
        concept = photo_id.split("/")[0]
        others = [sha256 for sha256, photo in photos.items() if photo.concept == concept and photo.id != photo_id]
        return {"id": photo_id, "sha256": found, "others": others[:OTHERS]}

    def left_out(self) -> frozenset[str]:
        """The ids of the photos whose scenes leave the dataset: their cut-outs were refused or replaced."""
        if not self._folder.sources_file.is_file():
            return frozenset()
        photos = current_sources(self._folder).photos
        return frozenset(photo.id for photo in photos if photo.in_plan and leaving(photo))

    def decide(
        self, sha256: str, verdict: Verdict | None, reason: str, mask: str | None, rater: str, key: str | None = None
    ) -> None:
        """Keep a decision; it is on the disk when this returns.

        Args:
            sha256: of the photo.
            verdict: use the cut-out or not; None withdraws the decision.
            reason: may be empty.
            mask: the sha256 of a mask that was given before; None: the outline as it was cut, which is recorded.
            rater: who decides.
            key: of the cut-out that was seen; None: the present one.

        Raises:
            InputError: there is no such photo, it was cut out again, or the reason is too long.
            StoreError: it cannot be written, or there is no such mask.
        """
        photo = self.photo(sha256)
        if key not in (None, photo.key):
            raise InputError("the photo was cut out again since; reload this page")
        _check_reason(reason)
        outline = None if mask else read_outline(self._folder, photo.key)
        with self._writing:
            if verdict is None:
                self._reviews.remove(sha256, outline)
                return
            review = CutoutReview(photo=sha256, verdict=verdict, reason=reason, mask=mask, rater=rater, outline=outline)
            self._reviews.put(review)

    def replace_mask(self, sha256: str, data: bytes, reason: str, rater: str) -> None:
        """Keep a mask that a person gave: the photo is used, with this outline.

        Args:
            sha256: of the photo.
            data: a picture, white or opaque where the object is, of the photo's size.
            reason: may be empty.
            rater: who gives it.

        Raises:
            InputError: there is no such photo, or the picture is no mask of it.
            StoreError: it cannot be written.
        """
        photo = self.photo(sha256)
        _check_reason(reason)
        alpha = _fitted(decode_mask(data), self._photo_pixels(photo).shape[:2])
        _check_outline(alpha >= 0.5, self._folder.request()["segment.min_side"])
        png = _encoded(alpha)
        digest = hashlib.sha256(png).hexdigest()
        with self._writing:
            review = CutoutReview(photo=sha256, verdict="use", reason=reason, mask=digest, rater=rater)
            self._reviews.put(review, png)

    def photo_jpeg(self, sha256: str, *, small: bool) -> bytes:
        """A photo as the build keeps it, upright; small: at most SMALL pixels each way."""
        photo = self.photo(sha256)
        return self._small_photo(photo.key) if small else read_encoded(self._folder, photo.key)[0]

    def mask_png(self, sha256: str) -> bytes:
        """The outline that counts, as a PNG of the photo's size: white where the object is."""
        photo = self.photo(sha256)
        return _encoded(self._mask(photo, self._reviews.get(sha256)))

    def cutout_png(self, sha256: str) -> bytes:
        """The cut-out that counts, on nothing, at most SMALL pixels each way.

        Raises:
            InputError: there is no cut-out of this photo.
        """
        photo, review = self.photo(sha256), self._reviews.get(sha256)
        mask = review.mask if review else None
        if mask is None and photo.quality is None:
            raise InputError("there is no cut-out of this photo")
        return self._small_cutout(sha256, photo.key, mask)

    def _stored(self) -> Mapping[str, CutoutUse]:
        """The photos by the sha256 of their files, without decisions; held until the file of sources changes."""
        if not self._folder.sources_file.is_file():
            return {}
        changed = self._folder.sources_file.stat().st_mtime_ns
        if self._held is None or self._held[0] != changed:
            self._held = changed, self.every()
        return self._held[1]

    def _photo_pixels(self, photo: CutoutUse) -> NDArray[np.uint8]:
        return decode_rgb(read_encoded(self._folder, photo.key)[0])

    def _mask(self, photo: CutoutUse, review: CutoutReview | None) -> Alpha:
        given = self._reviews.mask(review) if review else None
        if given is None:
            given = read_encoded(self._folder, photo.key)[1]
        if given is None:
            return np.zeros(self._photo_pixels(photo).shape[:2], np.float32)
        return decode_mask(given)

    def _make_small_photo(self, key: str) -> bytes:
        with Image.open(io.BytesIO(read_encoded(self._folder, key)[0]), formats=["JPEG"]) as image:
            image.draft("RGB", (SMALL, SMALL))
            image.thumbnail((SMALL, SMALL))
            return _saved(image, "JPEG")

    def _make_small_cutout(self, sha256: str, key: str, mask: str | None) -> bytes:
        photo = self.photo(sha256)
        if mask is None:
            rgba: Rgba = np.array(read_cutout(self._folder, key, photo.id).rgba)
        else:
            pixels, review = self._photo_pixels(photo), CutoutReview(photo=sha256, verdict="use", mask=mask)
            alpha = _fitted(self._mask(photo, review), pixels.shape[:2])
            rgba = np.dstack([pixels, np.rint(alpha * 255).astype(np.uint8)])
            rows, columns = (np.flatnonzero((alpha >= 0.5).any(axis=axis)) for axis in (1, 0))
            rgba = rgba[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        image = Image.fromarray(rgba)
        image.thumbnail((SMALL, SMALL))
        return _saved(image, "PNG")


def _described(photo: CutoutUse) -> dict[str, Any]:
    """A photo as the page gets it; `used` is what a person decided, also where only another build can follow it."""
    has_new_outline = photo.review == "use" and photo.replaced
    return {
        "sha256": photo.sha256,
        "id": photo.id,
        "key": photo.key,
        "quality": None if photo.quality is None else format_quality(photo.quality),
        "used": photo.used if photo.review is None else photo.review == "use",
        "found": photo.quality is not None or photo.review_mask is not None,
        "why": NEW_OUTLINE if has_new_outline else photo.why or photo.reason or "",
        "verdict": photo.review,
        "reason": photo.reviewed,
        "mask": photo.review_mask,
    }


def _fitted(mask: Alpha, size: tuple[int, ...]) -> Alpha:
    """A mask at the size of its photo, rows and columns.

    Raises:
        InputError: it has other proportions, or is empty.
    """
    given, expected = (f"{shape[1]}x{shape[0]}" for shape in (mask.shape, size))
    if not has_proportions(mask, (size[1], size[0])):
        raise InputError(f"the mask has {given} pixels; expected the size of the photo, {expected}")
    resized: Alpha = cv2.resize(mask, (size[1], size[0]), interpolation=cv2.INTER_AREA)
    if not (resized >= 0.5).any():
        raise InputError("the mask is black everywhere; expected white where the object is")
    return resized


def _check_outline(solid: NDArray[np.bool_], min_side: int) -> None:
    """Refuse an outline that a build would refuse, or that leaves nothing out.

    Raises:
        InputError: the object is smaller than min_side pixels, or the whole photo.
    """
    if solid.all():
        raise InputError("the mask is white everywhere; expected black around the object")
    if flaw := find_smallness(solid, min_side):
        raise InputError(f"a build could not use this mask: {flaw}")


def _encoded(mask: Alpha) -> bytes:
    """A mask as a PNG: white where the object is."""
    return encode_png(np.rint(mask * 255).astype(np.uint8))


def _check_reason(reason: str) -> None:
    if len(reason) > MAX_REASON:
        raise InputError(f"reason: expected at most {MAX_REASON} characters, got {len(reason)}")


def _saved(image: Image.Image, kind: str) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format=kind)
    return buffer.getvalue()
