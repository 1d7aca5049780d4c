"""A user's decisions about the cut-outs of photos: reviews, masks beside them, `use` and `leave_out` in concepts.toml.

"00.mask.png" is the mask of the photo "00.jpg" in the same folder: white, or opaque, where the object is.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from builder.records import Alpha, Choice, Concept, MaskFile, PhotoFile
from builder.sources.concept_folders import ConceptFolder
from builder.sources.cutout_reviews import CutoutReviews
from builder.sources.photo_folders import entries
from builder.sources.picture_files import is_picture
from mycanvas.errors import InputError, StoreError
from mycanvas.io.images import decode_mask, quiet_decoding, read_file, upright_size
from mycanvas.io.messages import nearest
from mycanvas.io.text import brief, shown

log = logging.getLogger("mycanvas")

MASK = ".mask"
"""End of the name of a mask, before its suffix."""
PROPORTIONS = 0.01
"""Largest relative difference of aspect ratios between a picture and a mask of it in another size."""


def is_photo(path: Path) -> bool:
    """Whether a file is a picture and no mask."""
    return not _is_mask(path) and is_picture(path)


def override_problems(folder: ConceptFolder) -> Iterator[str]:
    """The names in `use` and `leave_out` of a concept that no photo has, or that are in both; one line each."""
    described = folder.described
    if not (described.use or described.leave_out):
        return
    names = [path.name for path in entries(folder.path) if is_photo(path)]
    place = f"{folder.path.parent / 'concepts.toml'}: {folder.name}"
    for key, listed in (("use", described.use), ("leave_out", described.leave_out)):
        for name in listed or ():
            if name not in names:
                yield f"{place}.{key}: no photo in {folder.path} is called {brief(name)}; {nearest(name, names)}"
    for name in sorted({*(described.use or ())} & {*(described.leave_out or ())}):
        yield f"{place}: {brief(name)} is both in use and in leave_out; remove it from one of them"


def with_overrides(folder: ConceptFolder, photos: Sequence[PhotoFile]) -> list[PhotoFile]:
    """Add to each photo the mask beside it, or why that cannot be used, and the choice of concepts.toml.

    Args:
        folder: the folder of the photos, with its description.
        photos: those that are usable.
    """
    masks = {path.stem.removesuffix(MASK): path for path in entries(folder.path) if _is_mask(path) and is_picture(path)}
    if masks:
        stems = {path.stem for path in entries(folder.path) if is_photo(path)}
        for stem, path in masks.items():
            if stem not in stems:
                log.warning("%s is not used: no photo beside it is called %s", shown(str(path)), shown(stem))
    choices: dict[str, Choice] = dict.fromkeys(folder.described.use or (), "use")
    choices |= dict.fromkeys(folder.described.leave_out or (), "leave_out")
    found: list[PhotoFile] = []
    for photo in photos:
        mask, flaw = None, None
        if beside := masks.get(photo.path.stem):
            try:
                mask = _mask_file(beside, photo)
            except InputError as error:
                flaw = f"its mask {shown(beside.name)}: {error}"
        choice = choices.get(photo.path.name)
        if mask and choice == "leave_out":
            log.warning("%s is used although concepts.toml leaves it out: the mask beside it comes first", photo.id)
        found.append(replace(photo, mask=mask, choice=choice, flaw=flaw))
    return found


def with_reviews(concepts: Sequence[Concept], reviews: CutoutReviews) -> tuple[Concept, ...]:
    """Add to each photo what people decided about its cut-outs; this comes before all other decisions.

    Raises:
        StoreError: a decision or its mask is damaged.
        InputError: the decisions cannot be read.
    """
    return tuple(
        replace(concept, photos=tuple(_reviewed(photo, reviews) for photo in concept.photos)) for concept in concepts
    )


def _reviewed(photo: PhotoFile, reviews: CutoutReviews) -> PhotoFile:
    """The photo with its reviews; the mask of a review has the size at which the build keeps the photo."""
    try:
        found = reviews.about(photo.sha256)
        mask = reviews.mask_file(found[0]) if found else None
    except StoreError as error:
        raise StoreError(f"{photo.id}: {error}") from error
    if mask is None:
        return replace(photo, reviews=found)
    try:
        return replace(photo, reviews=found, review_mask=_mask_file(mask, photo, scaled=True), flaw=None)
    except InputError as error:
        return replace(photo, reviews=found, flaw=f"its mask from review: {error}")


def _is_mask(path: Path) -> bool:
    return path.stem.endswith(MASK)


def has_proportions(mask: Alpha, size: tuple[int, int]) -> bool:
    """Whether a mask may be of a picture of this width and height, in another size."""
    return bool(abs(mask.shape[1] / mask.shape[0] * size[1] / size[0] - 1) <= PROPORTIONS)


def _mask_file(path: Path, photo: PhotoFile, *, scaled: bool = False) -> MaskFile:
    """Check that a mask shows an object, in a picture of the photo's size; or, scaled, of its proportions."""
    data = read_file(path)
    with quiet_decoding():
        mask, size = decode_mask(data), upright_size(read_file(photo.path))
    if not (has_proportions(mask, size) if scaled else mask.shape[::-1] == size):
        own, other = (f"{width}x{height}" for width, height in (mask.shape[::-1], size))
        raise InputError(f"{own} pixels; expected the size of the photo, {other}")
    if not (mask >= 0.5).any():
        raise InputError("black everywhere; expected white where the object is")
    return MaskFile(path=path, sha256=hashlib.sha256(data).hexdigest())
