"""Choose a reference for each object of a scene: another photo of its concept than the one pasted, or the same one."""

from __future__ import annotations

import shlex
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator
from hashlib import blake2b

from mycanvas.dataset import Encoded, Photo, Scene, picture_kind
from mycanvas.dataset.pictures import SUFFIXES
from mycanvas.errors import InputError
from mycanvas.export.photo_files import UniqueStems, photo_stem, photo_title
from mycanvas.export.source import Source

MARGIN = 0.08
"""White around a cut-out on each side, as a fraction of its longer side."""
SIDE = 1024
"""Largest side of the white square in pixels; no trainer uses larger references."""
EDGE = 1.0
"""Standard deviation in pixels of the fade at the inner edge of a cut-out; beyond its edge is the background."""


class References:
    """The photos that stand for the objects of a source's scenes.

    Args:
        source: `source.selection` says which photos, and how they are shown.

    Raises:
        InputError: `pairs` is "cross", and a concept has fewer than two photos that can be used.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._cross = source.selection.pairs == "cross"
        self._usable: defaultdict[str, list[str]] = defaultdict(list)
        self._names: dict[str, str] = {}
        tokens = {concept.name: concept.token for concept in source.concepts}
        stems = UniqueStems()
        for photo in source.photos():
            if not _is_usable(photo):
                continue
            self._usable[tokens[photo.concept]].append(photo.id)
            self._names[photo.id] = f"{stems.add(photo_stem(photo))}{self._suffix(photo)}"
        if self._cross:
            self._check_others(source.classes)

    def of(self, scene: Scene) -> tuple[str, ...]:
        """The ids of a scene's references: entry i belongs to boxes[i]. The same scene always has the same ones.

        Raises:
            InputError: the dataset lacks the photo that was pasted.
        """
        return tuple(
            self._other(scene, token, pasted) if self._cross else self._known(scene, pasted)
            for token, pasted in zip(scene.concept_tokens, scene.source_images, strict=True)
        )

    def name(self, photo_id: str) -> str:
        """The name of a reference's file, unique where letters have no case."""
        return self._names[photo_id]

    def pictures(self, chosen: Collection[str]) -> Iterator[tuple[str, Encoded]]:
        """The id and the encoded picture of these photos.

        Raises:
            InputError: a photo or its mask cannot be read.
        """
        for photo in self._source.photos():
            if photo.id in chosen:
                yield photo.id, self._picture(photo)

    def _check_others(self, tokens: Collection[str]) -> None:
        single = [token for token in tokens if len(self._usable[token]) < 2]
        if single:
            names = [concept.name for concept in self._source.concepts if concept.token in single]
            raise InputError(
                f"{', '.join(names)}: {self._source.folder} has only one photo that can be used, "
                "so the reference would be the photo that was pasted. Export with --pairs same, build with more "
                f"photos of these concepts, or choose only compositions without them: {self._others_of()}"
            )

    def _others_of(self) -> str:
        """Options that choose the compositions whose concepts all have another photo."""
        dataset = self._source.dataset
        tokens = {name: concept.token for name, concept in dataset.concepts(with_photos=False).items()}
        usable = Counter(tokens[photo.concept] for photo in dataset.photos() if _is_usable(photo))
        compositions = dataset.contents().compositions
        names = [name for name, shown in compositions.items() if all(usable[token] > 1 for token in shown)]
        return " ".join(f"--composition {shlex.quote(name)}" for name in names) or "this dataset has none"

    def _other(self, scene: Scene, token: str, pasted: str) -> str:
        others = [photo_id for photo_id in self._usable[token] if photo_id != pasted]
        draw = blake2b(f"{scene.id}\n{token}".encode(errors="replace"), digest_size=8).digest()
        return others[int.from_bytes(draw, "big") % len(others)]

    def _known(self, scene: Scene, pasted: str) -> str:
        if pasted not in self._names:
            raise InputError(
                f"scene {scene.id} of {self._source.folder} shows {pasted}, "
                "but the dataset has no such photo with a mask"
            )
        return pasted

    def _suffix(self, photo: Photo) -> str:
        if self._source.selection.references == "cut-out":
            return ".jpg"
        return SUFFIXES[picture_kind(photo.image, list(SUFFIXES), self._title(photo))[0]][0]

    def _picture(self, photo: Photo) -> Encoded:
        return photo.image if self._source.selection.references == "whole" else on_white(photo, self._title(photo))

    def _title(self, photo: Photo) -> str:
        return photo_title(photo, self._source.dataset.place)


def _is_usable(photo: Photo) -> bool:
    return bool(photo.used and photo.mask)


def on_white(photo: Photo, title: str) -> bytes:
    """A JPEG of a photo's object in the middle of a white square: trainers squash other shapes.

    Raises:
        InputError: the photo or its mask cannot be read, or the mask is empty or of another size.
    """
    import cv2
    import numpy as np

    from mycanvas.io.images import Rgb, decode_mask, decode_rgb, encode_jpeg, quiet_decoding

    assert photo.mask is not None  # noqa: S101 - References chooses only photos with a mask
    try:
        with quiet_decoding():
            pixels, mask = decode_rgb(photo.image), decode_mask(photo.mask)
    except InputError as error:
        raise InputError(f"{title}: {error}") from error
    if mask.shape != pixels.shape[:2] or not (mask > 0.5).any():
        raise InputError(f"the mask of {title} is empty or not of the photo's size")
    x, y, width, height = cv2.boundingRect((mask > 0.5).astype(np.uint8))
    window = np.s_[y : y + height, x : x + width]
    soft = cv2.GaussianBlur(mask, (0, 0), EDGE, borderType=cv2.BORDER_REPLICATE)  # does not fade at the frame
    alpha = np.minimum(mask, np.clip(2 * soft - 1, 0, 1))[window][..., None]
    margin = round(MARGIN * max(width, height))
    side = max(width, height) + 2 * margin
    square: Rgb = np.full((side, side, 3), 255, np.uint8)
    left, top = (side - width) // 2, (side - height) // 2
    blended = pixels[window] * alpha + 255 * (1 - alpha)
    square[top : top + height, left : left + width] = np.rint(blended).astype(np.uint8)
    if side > SIDE:
        square = np.asarray(cv2.resize(square, (SIDE, SIDE), interpolation=cv2.INTER_AREA), np.uint8)
    return encode_jpeg(square)
