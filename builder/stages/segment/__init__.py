"""Photo -> Cutout: find the object and cut it out (Gen4Gen, stage 1)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from builder.records import Cutout, Photo, Rejected
from builder.stages.segment.base import Matte, MatteFinder, SegmentConfig, Segmenter, find_flaw, within_photo
from builder.stages.segment.colours import count_colours
from builder.stages.segment.frame import content, ends_at_frame
from builder.stages.segment.matte import crop, feather
from builder.stages.segment.outline import thin_share
from builder.stages.segment.rembg import Rembg
from builder.stages.segment.tricut import TriCut

READY_QUALITY = 1.0
"""The highest quality, given to a ready cut-out and to one by a mask."""

SEGMENTERS: Mapping[str, type[Segmenter]] = {"tricut": TriCut, "rembg": Rembg}


def segment(
    photos: Sequence[Photo],
    segmenter: MatteFinder,
    config: SegmentConfig,
    seed: int,  # noqa: ARG001 - every stage takes one
) -> Iterator[Cutout | Rejected]:
    """Cut the object out of each photo; reject photos without a usable object.

    Args:
        photos: a photo with an alpha is a ready cut-out, and one with a mask is cut out by it; neither is segmented.
        segmenter: an instance of one of SEGMENTERS, or its cache.
        config: `min_quality` is not applied here, as `keep_best` depends on all photos of a concept.
        seed: not used; segmenting is not random.

    Yields:
        One result per photo, in order.
    """
    windows = {photo.id: content(photo.pixels) if photo.given is None else np.s_[:, :] for photo in photos}
    mattes = iter(segmenter.matte([photo.pixels[windows[photo.id]] for photo in photos if photo.given is None]))
    for photo in photos:
        if photo.given is not None:
            matte = Matte(alpha=photo.given, quality=READY_QUALITY)
        else:
            matte = within_photo(next(mattes), windows[photo.id], photo)
        if flaw := find_flaw(matte.alpha, photo, config):
            yield photo.rejected("segment", flaw)
            continue
        mask = matte.alpha >= 0.5
        # A ready cut-out that touches its frame was cropped to the object, not cut off by a camera.
        is_ready = photo.alpha is not None and photo.mask is None
        cut_off_below = not is_ready and ends_at_frame(mask[windows[photo.id]])
        rgba = crop(photo.pixels, matte.alpha, photo.cutout_side or max(mask.shape), cut_off_below)
        yield Cutout(
            photo_id=photo.id,
            rgba=rgba if is_ready else feather(rgba),
            quality=matte.quality,
            cut_off=cut_off_below,
            mask=mask,
            thin=thin_share(mask) if photo.given is None else None,
            lost=matte.lost,
            colours=count_colours(photo.pixels, mask),
        )
