"""The present decisions about the cut-outs of a build, and the scenes that leave its dataset because of them."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from builder.pipeline.build_folder import BuildFolder
from builder.pipeline.cutout_decisions import decide, leaving, waiting
from builder.pipeline.prepared_files import read_outline
from builder.pipeline.rows import Row
from builder.pipeline.source_photos import CutoutUse, Sources
from builder.records import CutoutReview
from builder.sources.cutout_reviews import CutoutReviews, review_for, user_reviews
from builder.sources.outlines import outline_of
from mycanvas.errors import StoreError
from mycanvas.io.checked import read_checked_or_none, write_checked
from mycanvas.io.messages import counted

log = logging.getLogger("mycanvas")

SINGLE = 4
"""Most cut-outs that have lines of their own in the funnel; of more, those of a concept are counted together."""
NAMED = 3
"""Photos that a note names."""


def build_reviews(folder: BuildFolder) -> CutoutReviews:
    """The decisions that travel with a build, and those of the user, who may have made them in another build."""
    user = user_reviews()
    return CutoutReviews([folder.reviews, *([user] if user else [])])


def current_sources(folder: BuildFolder) -> Sources:
    """The sources of a build with the present reviews; nothing is written. A build need not be finished.

    Masks beside photos and concepts.toml count as they were when a build last read the photos. A damaged review is
    named by a warning, and does not count.

    Raises:
        StoreError: sources.json is missing or damaged.
        InputError: a file cannot be read.
    """
    reviews = build_reviews(folder)

    def find(photo: str) -> tuple[CutoutReview, ...]:
        try:
            return reviews.about(photo)
        except StoreError as error:
            log.warning("%s", error)
            return ()

    return _sources_with(folder, find)


def _sources_with(folder: BuildFolder, find: Callable[[str], Sequence[CutoutReview]]) -> Sources:
    """The sources of a build with the reviews that count for its cut-outs.

    Args:
        folder: the build.
        find: gives all reviews of a photo by its sha256.
    """
    sources, request = folder.sources(), read_checked_or_none(folder.request_file, dict[str, Any]) or {}
    photos = []
    for photo in sources.photos:
        sha256 = photo.sha256 or str(request.get(f"photo {photo.id}", ""))  # earlier versions recorded it there only
        found = find(sha256) if sha256 else ()
        photos.append(with_review(folder, replace(photo, sha256=sha256, planned=photo.in_plan), found))
    gate = request.get("segment.min_quality", 0.0) if sources.gate is None else sources.gate
    keep_best = request.get("segment.keep_best", False) if sources.keep_best is None else sources.keep_best
    decided = decide(photos, gate, keep_best=keep_best)
    return replace(sources, photos=decided)


def with_review(folder: BuildFolder, cutout: CutoutUse, reviews: Sequence[CutoutReview]) -> CutoutUse:
    """Record the review that counts for a cut-out, or that there is none.

    Args:
        folder: where the cut-out is.
        cutout: of a photo.
        reviews: about this photo, the newest first.

    Raises:
        StoreError: a file of the cut-out is missing or damaged.
    """
    review = review_for(reviews, lambda: read_outline(folder, cutout.key) if cutout.key else outline_of(None))
    other = reviews[0].verdict if reviews and review is None else None
    if review is None:
        return replace(cutout, review=None, reviewed="", review_mask=None, other_review=other)
    return replace(cutout, review=review.verdict, reviewed=review.reason, review_mask=review.mask, other_review=None)


def learn_reviews(folder: BuildFolder) -> Sources:
    """Write the present reviews to a build that is claimed, so that it keeps them where it is moved.

    Returns:
        The sources, as `current_sources` gives them.

    Raises:
        StoreError: as `current_sources`, a review is damaged, or a file cannot be written.
        InputError: a file cannot be read.
    """
    reviews = build_reviews(folder)
    sources = _sources_with(folder, reviews.about)
    reviews.collect(photo.sha256 for photo in sources.photos if photo.sha256)
    if sources != folder.sources():
        write_checked(folder.sources_file, asdict(sources))
    return sources


def leaving_scenes(rows: Sequence[Row], photos: Sequence[CutoutUse]) -> dict[str, str]:
    """The scenes that show a cut-out that is refused or replaced: id -> the line of the funnel.

    Args:
        rows: `id` and `source_images` of the candidates.
        photos: of the build, with the present decisions.
    """
    gone = {photo.id: photo for photo in photos if photo.in_plan and leaving(photo)}
    first = {
        row["id"]: gone[shown[0]] for row in rows if (shown := [name for name in row["source_images"] if name in gone])
    }
    named = {photo.id: photo for photo in first.values()}
    by_concept = Counter((leaving(photo), photo.concept) for photo in named.values())

    def line(photo: CutoutUse) -> str:
        count = by_concept[leaving(photo), photo.concept]
        what = photo.id if count == 1 or len(named) <= SINGLE else f"{counted(count, 'photo')} of {photo.concept}"
        return f"cut-out {leaving(photo)}: {what}"

    return {name: line(photo) for name, photo in first.items()}


def effective_scores(row: Row, photos: Mapping[str, CutoutUse]) -> dict[str, float | None]:
    """The scores by which a scene is selected: a cut-out that a person accepted counts as one of quality 1.

    Args:
        row: `scores` and `source_images` of the candidate.
        photos: of the build, by id, with the present decisions.
    """
    scores: dict[str, float | None] = row["scores"]
    shown = [photos[name] for name in row["source_images"] if name in photos]
    if scores.get("cutout") is None or not any(photo.review == "use" for photo in shown):
        return scores
    return {**scores, "cutout": min(1.0 if photo.review == "use" else photo.quality or 0.0 for photo in shown)}


def waiting_note(photos: Sequence[CutoutUse]) -> str | None:
    """A line about cut-outs that were accepted or fixed since the build was planned; None if there are none."""
    names = waiting(photos)
    if not names:
        return None
    listed = ", ".join(names[:NAMED]) + (f" and {len(names) - NAMED} more" if len(names) > NAMED else "")
    were = "was" if len(names) == 1 else "were"
    return (
        f"{counted(len(names), 'cut-out')} {were} added, accepted or fixed since this build was planned ({listed}); "
        "more scenes (--samples) show those that were added or accepted, a build with another --output all"
    )
