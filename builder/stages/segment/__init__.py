"""Photo -> Cutout: find the object and cut it out (Gen4Gen, stage 1)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from builder.config.schema import SegmentConfig
from builder.pipeline.backends import Runtime
from builder.records import Alpha, Cutout, Photo, Rejected, Rgb
from builder.stages.segment.frame import content, cut_off, ends_at_frame
from builder.stages.segment.matte import crop, feather
from builder.stages.segment.outline import tear
from mycanvas.errors import MissingExtra

FULL_TRUST = 1.0
"""The highest quality: a cut-out that came with the photo."""
CUT_OFF_BOTTOM, CUT_OFF_SIDE = 0.03, 0.2
"""What the part of the outline on the photo's frame costs in quality: people expect to see an object whole."""
TORN = 100
"""What a torn lower end costs: an outline rougher there by a hundredth of the object's size is trusted no more."""
LARGEST_SHARE = 0.95
"""An "object" that fills more of its photo is the background."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Matte:
    """What a segmenter says of one photo.

    alpha: float32 [H, W] in [0, 1]. quality: how far it trusts itself, 0 to 1.
    """

    alpha: Alpha
    quality: float


class Segmenter(Protocol):
    """Finds the one object of each photo."""

    def matte(self, photos: Sequence[Rgb]) -> Iterable[Matte]:
        """One matte per uint8 [H, W, 3] photo, of its size, in order; each depends on its own photo only."""
        ...


def _tricut(_config: SegmentConfig, _runtime: Runtime) -> Segmenter:
    from builder.stages.segment.tricut import TriCut

    return TriCut()


def _rembg(config: SegmentConfig, runtime: Runtime) -> Segmenter:
    try:
        from builder.stages.segment.rembg import load
    except ImportError as missing:
        raise MissingExtra("rembg", extra="models") from missing
    return load(config.rembg, runtime)


SEGMENTERS: Mapping[str, Callable[[SegmentConfig, Runtime], Segmenter]] = {"tricut": _tricut, "rembg": _rembg}


def segment(
    photos: Sequence[Photo], segmenter: Segmenter, config: SegmentConfig, side: int
) -> Iterator[Cutout | Rejected]:
    """Cut the object out of each photo; reject what holds no usable object.

    Args:
        photos: one with an alpha is a cut-out already, and is not segmented.
        segmenter: one of SEGMENTERS.
        config: its `min_side` is applied; its `min_quality` is not: who knows all photos of a concept applies that.
        side: the longest side in pixels at which cut-outs are kept; larger ones are scaled down.

    Yields:
        One result per photo, in order.
    """
    windows = {photo.id: content(photo.pixels) if photo.alpha is None else np.s_[:, :] for photo in photos}
    mattes = iter(segmenter.matte([photo.pixels[windows[photo.id]] for photo in photos if photo.alpha is None]))
    for photo in photos:
        if photo.alpha is not None:
            matte = Matte(alpha=photo.alpha, quality=FULL_TRUST)
        else:
            matte = _within(next(mattes), windows[photo.id], photo)
        flaw = _flaw(matte.alpha, photo, config)
        if flaw:
            yield photo.rejected("segment", flaw)
            continue
        mask = matte.alpha >= 0.5
        # A ready cut-out that touches its frame was cropped to the object, not cut off by a camera.
        cut_off_below = photo.alpha is None and ends_at_frame(mask[windows[photo.id]])
        rgba = crop(photo.pixels, matte.alpha, side, cut_off_below)
        yield Cutout(
            photo_id=photo.id,
            rgba=rgba if photo.alpha is not None else feather(rgba),
            quality=matte.quality,
            cut_off=cut_off_below,
            mask=mask,
        )


def _within(matte: Matte, window: tuple[slice, slice], photo: Photo) -> Matte:
    """The matte of a photo's content as one of the whole photo, trusted less the more of the object is missing."""
    mask = matte.alpha >= 0.5
    bottom, others = cut_off(mask)
    missing = CUT_OFF_BOTTOM * bottom + CUT_OFF_SIDE * others + TORN * tear(mask)
    alpha = np.zeros(photo.pixels.shape[:2], np.float32)
    alpha[window] = matte.alpha
    return Matte(alpha=alpha, quality=max(0.0, matte.quality - missing))


def _flaw(alpha: Alpha, photo: Photo, config: SegmentConfig) -> str | None:
    """Why there is no object here, or None."""
    solid = alpha >= 0.5
    if not solid.any():
        return "no object found"
    share = float(solid.mean())
    if photo.alpha is None and share > LARGEST_SHARE:
        return f"the object fills {share:.0%} of the photo, expected at most {LARGEST_SHARE:.0%}"
    longest = max(int(np.ptp(np.flatnonzero(solid.any(axis=axis)))) + 1 for axis in (0, 1))
    if longest < config.min_side:
        return f"the object is {longest} px long, expected at least {config.min_side}; see segment.min_side"
    return None
