"""Alpha of pictures: whether it is the outline of an object, and what is shown where it is transparent.

Editors keep the colours under transparent pixels, and straightening or bordering a photo makes parts of it transparent.
So alpha alone makes no cut-out, and colours under it are never shown.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

GREY = 128
"""Shown around an object, and in place of what is transparent."""
NOTHING = 13
"""Alpha, of 255, below which a pixel is invisible, 5 %: soft erasers and mattes leave such traces."""
MIN_TRANSPARENT = 0.01
"""Fraction of an image that must be transparent for its alpha to matter: more than rounded corners."""

_SIDE = 512
"""The shape of an alpha is judged at this size."""
_MAX_FAINT = 0.75
"""Of what is visible, the most that may be half transparent, relative to the rest: edges, fur, shadows."""
_MAX_FRAME = 0.75
"""Nothing surrounds an object: a shape on more of the picture's frame is a photo from which something was erased."""
_PHOTO_FIT = 0.99
"""A photo that was straightened, bordered or corrected in perspective is a quadrilateral, up to rounded corners."""
_MAX_SLANT = 25.0
"""Degrees by which a side of such a photo may lean."""
_MIN_SIDE = 0.1
"""The least length of such a side, relative to the photo's."""
_MIN_PHOTO = 0.5
"""Fraction of the picture that a photo in it fills; a smaller quadrilateral is an object: a book, a box."""

_Mask = NDArray[np.bool_]


def visible_alpha(image: Image.Image) -> Image.Image | None:
    """The alpha of an image, of mode L, with invisible pixels at 0; None if all of it is opaque."""
    if not image.has_transparency_data or image.mode == "I;16":
        return None
    alpha = image.convert("RGBA").getchannel("A")
    return None if alpha.getextrema() == (255, 255) else alpha.point(lambda value: value if value >= NOTHING else 0)


def is_transparent(alpha: Image.Image) -> bool:
    """Whether at least MIN_TRANSPARENT of an alpha is transparent rather than opaque."""
    histogram = alpha.histogram()
    return sum(histogram[:128]) >= MIN_TRANSPARENT * sum(histogram)


def cutout_flaw(alpha: Image.Image) -> str | None:
    """Say why a transparent picture is not an object on nothing; None where it is one.

    An object may touch the frame, have holes, several parts and soft edges. A solid quadrilateral of half of the
    picture or more is taken for a photo.

    Args:
        alpha: a result of `visible_alpha`.
    """
    histogram = alpha.histogram()
    nothing, solid, total = histogram[0], sum(histogram[128:]), sum(histogram)
    if nothing < MIN_TRANSPARENT * total:
        return "all of it is visible"
    if total - nothing - solid > _MAX_FAINT * solid:
        return "much of it is half transparent"
    shape = _without_holes(_reduced(alpha))
    frame = np.concatenate([shape[0], shape[-1], shape[:, 0], shape[:, -1]])
    if frame.mean() > _MAX_FRAME:
        return "the transparent part is not around an object"
    if shape.mean() >= _MIN_PHOTO and _is_quadrilateral(shape):
        return "its outline is that of a photo"
    return None


def on_grey(image: Image.Image, alpha: Image.Image) -> Image.Image:
    """The image, of mode RGB, as it looks on grey; alpha counts relative to its largest value."""
    largest = max(1, int(alpha.getextrema()[1]))  # type: ignore[arg-type] # of mode L: two numbers
    opacity = alpha.point(lambda value: round(min(1.0, value / largest) * 255))
    return Image.composite(image, Image.new("RGB", image.size, (GREY, GREY, GREY)), opacity)


def hide_invisible(rgba: Image.Image) -> Image.Image:
    """An RGBA image whose wholly transparent pixels are grey."""
    alpha = rgba.getchannel("A")
    rgba.paste((GREY, GREY, GREY, 0), mask=alpha.point(lambda value: 0 if value else 255))
    return rgba


def _reduced(alpha: Image.Image) -> _Mask:
    """Where an alpha is solid, at a size of at most _SIDE."""
    solid = np.asarray(alpha.point(lambda value: 255 if value >= 128 else 0))
    scale = min(1.0, _SIDE / max(solid.shape))
    size = tuple(max(1, round(length * scale)) for length in reversed(solid.shape))
    mask: _Mask = cv2.resize(solid, size, interpolation=cv2.INTER_AREA) >= 128
    return mask


def _without_holes(mask: _Mask) -> _Mask:
    outlines, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    filled = np.zeros(mask.shape, np.uint8)
    cv2.drawContours(filled, outlines, -1, 1, cv2.FILLED)
    return filled > 0


def _is_quadrilateral(shape: _Mask) -> bool:
    """Whether a shape is what four straight lines leave of the picture: one above, one below, one at each side."""
    points = cv2.findNonZero(shape.astype(np.uint8))
    corners = cv2.approxPolyDP(cv2.convexHull(points), 1.0, True)[:, 0].astype(np.float64)
    rows, columns = np.indices(shape.shape)
    inside = np.ones(shape.shape, bool)
    sides: set[int] = set()
    longest: dict[int, float] = {}
    lines: dict[int, _Mask] = {}
    for corner, following in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        edge = following - corner
        outwards = np.array([edge[1], -edge[0]]) / np.hypot(*edge)
        if outwards @ (corner - corners.mean(axis=0)) < 0:
            outwards = -outwards
        quarter, slant = divmod(np.degrees(np.arctan2(outwards[1], outwards[0])) + 45, 90)
        side, length = int(quarter) % 4, float(np.hypot(*edge))
        if abs(slant - 45) > _MAX_SLANT or length < _MIN_SIDE * shape.shape[side % 2]:
            continue
        sides.add(side)
        if not _on_frame(corner, following, shape) and length > longest.get(side, 0):
            longest[side] = length
            lines[side] = outwards[0] * columns + outwards[1] * rows <= outwards @ corner + 0.5
    if len(sides) < 4:
        return False
    for line in lines.values():
        inside &= line
    return float((shape & inside).sum()) >= _PHOTO_FIT * float((shape | inside).sum())


def _on_frame(first: NDArray[np.float64], second: NDArray[np.float64], shape: _Mask) -> bool:
    """Whether both points, x and y, are on one side of the picture's frame."""
    last = np.array(shape.shape[::-1]) - 1
    return bool((np.maximum(first, second) <= 1).any() or (np.minimum(first, second) >= last - 1).any())
