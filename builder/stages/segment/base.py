"""Interface of the segmenters, the stage's settings, and the checks that every cut-out must pass."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from builder.records import Alpha, Photo, Rgb
from builder.stages.backend import Backend
from builder.stages.segment.frame import cut_off
from builder.stages.segment.outline import tear
from mycanvas.io.config_table import Fraction, Table

CUT_OFF_BOTTOM, CUT_OFF_SIDE = 0.03, 0.5
"""Quality lost per fraction of the outline on the photo's frame: an object should be seen whole."""
TORN = 100
"""Quality lost per unit of tear (see `outline.tear`): a tear of 1 % of the object's size costs a quality of 1."""
CUT_OFF, TORN_OUTLINE = "cut off at the frame", "torn outline"
"""Names of these losses."""
BLANK = 10
"""Range of the values 0 to 255 of each channel, up to which a photo shows nothing."""
MAX_COVERAGE = 0.95
"""An "object" that fills more of its photo is the background."""


class SegmentConfig(Table):
    """[segment]: photo -> cut-out."""

    min_side: Annotated[int, Field(ge=1)] = 64
    """An object whose longest side has fewer pixels in its photo is not used."""
    min_quality: Fraction | None = None
    """Cut-outs of lower quality are not used; not given: as the segmenter, or the session of rembg, requires."""
    keep_best: bool = False
    """Use a concept's best cut-out even if none reaches min_quality."""


GATE = ("min_quality", "keep_best")
"""Settings that select cut-outs, without changing any pixel of them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Matte:
    """A segmenter's result for one photo.

    alpha: float32 [H, W] in [0, 1]. quality: the segmenter's confidence in it, 0 to 1.
    lost: how much lower the quality is for each visible flaw, by the flaw's name.
    """

    alpha: Alpha
    quality: float
    lost: Mapping[str, float] = field(default_factory=dict)


class MatteFinder(Protocol):
    """Finds the main object of each photo."""

    def matte(self, photos: Sequence[Rgb]) -> Iterable[Matte]:
        """One matte per uint8 [H, W, 3] photo, of the photo's size, in order; each depends on its own photo only."""
        ...


class Segmenter(Backend, MatteFinder, Protocol):
    """A backend that finds the main object of each photo."""

    @staticmethod
    def batch_size(config: Any) -> int:  # noqa: ARG004
        """The number of photos cut out in one unit of work."""
        return 1

    @staticmethod
    def min_quality(config: Any) -> float:
        """The quality from which its cut-outs are used, unless [segment] gives another; config: a `Config`."""
        ...

    @staticmethod
    def unlike_weight(config: Any) -> float:  # noqa: ARG004
        """Quality lost per unit of a cut-out's unlikeness to its siblings (see `colours.unlikeness`)."""
        return 0.0


def within_photo(matte: Matte, window: tuple[slice, slice], photo: Photo) -> Matte:
    """Extend the matte of a photo's content to the whole photo; lower its quality if the object is cut off or torn.

    Args:
        matte: of the photo's content.
        window: rows and columns of the content within the photo.
        photo: the whole photo.
    """
    mask = matte.alpha >= 0.5
    bottom, others = cut_off(mask)
    lost = {CUT_OFF: CUT_OFF_BOTTOM * bottom + CUT_OFF_SIDE * others, TORN_OUTLINE: TORN * tear(mask)}
    alpha = np.zeros(photo.pixels.shape[:2], np.float32)
    alpha[window] = matte.alpha
    return Matte(alpha=alpha, quality=max(0.0, matte.quality - sum(lost.values())), lost={**matte.lost, **lost})


def _contrast(pixels: Rgb) -> int:
    """The largest range of values of a channel."""
    # One axis after the other: both at once take 100 times as long.
    return int((pixels.max(axis=0).max(axis=0) - pixels.min(axis=0).min(axis=0)).max())


def find_flaw(alpha: Alpha, photo: Photo, config: SegmentConfig) -> str | None:
    """Return why an alpha shows no usable object; None if it shows one."""
    solid = alpha >= 0.5
    if not solid.any():
        return "no object found"
    if photo.given is None and _contrast(photo.pixels) <= BLANK:
        return "no object found: the photo has one colour"
    coverage = float(solid.mean())
    if photo.given is None and coverage > MAX_COVERAGE:
        return f"the object fills {coverage:.0%} of the photo, expected at most {MAX_COVERAGE:.0%}"
    return find_smallness(solid, config.min_side)


def find_smallness(solid: NDArray[np.bool_], min_side: int) -> str | None:
    """Return why an object is too small to be used; None if it is not.

    Args:
        solid: [H, W], true where the object is; not false everywhere.
        min_side: pixels, as in SegmentConfig.
    """
    longest = max(int(np.ptp(np.flatnonzero(solid.any(axis=axis)))) + 1 for axis in (0, 1))
    if longest < min_side:
        return f"the object is {longest} px long, expected at least {min_side}; see segment.min_side"
    return None
