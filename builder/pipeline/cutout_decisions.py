"""Decide which cut-outs scenes may show.

The first of these that is there decides: a review, the mask beside the photo, concepts.toml, the quality. A review of
another outline of the photo decides nothing: nobody saw this one. Scenes that were planned with a cut-out keep it,
unless a person refuses it or replaces its outline.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from builder.pipeline.source_photos import ACCEPTED, CutoutUse, flaws, format_quality
from mycanvas.io.messages import counted
from mycanvas.io.text import shown

log = logging.getLogger("mycanvas")

MANY = 1 / 3
"""Fraction of refused photos from which `network_advice` proposes a saliency network."""

Leaving = Literal["refused", "replaced"]
"""Why scenes with a cut-out leave the dataset: a person refused it, or gave another mask since."""


def choose_cutouts(cutouts: Sequence[CutoutUse], gate: float, *, keep_best: bool) -> tuple[CutoutUse, ...]:
    """Decide which cut-outs a new plan is drawn with, and warn about every concept that has none.

    Args:
        cutouts: of all photos, compared with their siblings.
        gate: the quality from which cut-outs are used.
        keep_best: use a concept's best cut-out if it has no other.
    """
    for cutout in cutouts:
        if cutout.quality is None and (cutout.review or cutout.choice) == "use":
            decided = "a review" if cutout.review else "concepts.toml"
            log.warning("%s cannot be used, as %s has it: %s", cutout.id, decided, cutout.reason)
    chosen = decide([replace(cutout, planned=None, used=False) for cutout in cutouts], gate, keep_best=keep_best)
    for own in _by_concept(chosen):
        if not any(cutout.used for cutout in own):
            _warn_of_lost_concept(own, gate)
    return tuple(replace(cutout, planned=cutout.used) for cutout in chosen)


def choose_more(cutouts: Sequence[CutoutUse]) -> tuple[CutoutUse, ...]:
    """Decide which cut-outs the next step of a plan is drawn with; warn about every concept that has none.

    Args:
        cutouts: the result of `decide`.
    """
    for own in _by_concept(cutouts):
        if not any(cutout.used or cutout.in_plan for cutout in own):
            _warn_of_lost_concept(own, own[0].gate)
    return tuple(replace(cutout, planned=cutout.in_plan or cutout.used) for cutout in cutouts)


def decide(cutouts: Sequence[CutoutUse], gate: float, *, keep_best: bool) -> tuple[CutoutUse, ...]:
    """Decide which cut-outs scenes may show at present: set `used`, `why` and `gate`.

    Args:
        cutouts: of all photos; one that the plan was drawn with stays, whatever its quality.
        gate: as for `choose_cutouts`.
        keep_best: as for `choose_cutouts`.
    """
    judged = [_judge(replace(cutout, gate=gate)) for cutout in cutouts]
    best = {found.id for own in _by_concept(judged) if keep_best and (found := _best_instead(own))}
    judged = [
        replace(cutout, used=True, why=f"the best of its concept; {cutout.why}") if cutout.id in best else cutout
        for cutout in judged
    ]
    return tuple(
        replace(after, used=True, why=f"in the plan; {after.why}")
        if before.in_plan and not after.used and leaving(before) is None
        else after
        for before, after in zip(cutouts, judged, strict=True)
    )


def leaving(cutout: CutoutUse) -> Leaving | None:
    """Why scenes with a cut-out leave the dataset; None: they stay."""
    if cutout.review == "refuse":
        return "refused"
    if cutout.replaced:
        return "replaced"
    decided = cutout.review or _has_mask(cutout)
    return "refused" if cutout.choice == "leave_out" and not decided else None


def waiting(cutouts: Sequence[CutoutUse]) -> list[str]:
    """The ids of photos whose cut-outs only another plan can use: accepted, or with another mask, since this one."""
    return [
        cutout.id
        for cutout in cutouts
        if (cutout.used and not cutout.in_plan) or (cutout.replaced and cutout.review != "refuse")
    ]


def network_advice(cutouts: Sequence[CutoutUse]) -> str | None:
    """How to cut out more photos, where a segmenter without a network refused many; None where it did not.

    Args:
        cutouts: the result of `choose_cutouts`.
    """
    left = [cutout for cutout in cutouts if cutout.key and not (cutout.masked or cutout.choice or cutout.review)]
    refused = sum(not cutout.used for cutout in left)
    if not refused or refused < MANY * len(left):
        return None
    return (
        f"{refused} of {counted(len(left), 'photo')} gave no cut-out that can be used; a saliency network finds more "
        "objects in real photos: pip install 'mycanvas[photo]', then build with --profile photo and another --output"
    )


def _judge(cutout: CutoutUse) -> CutoutUse:
    """Decide about one cut-out, without the plan."""
    used, why = _verdict(cutout)
    if cutout.other_review and not _has_mask(cutout):
        other = "refused" if cutout.other_review == "refuse" else "accepted"
        why = f"{why}; another outline was {other} in review"
    return replace(cutout, used=used, why=why)


def _verdict(cutout: CutoutUse) -> tuple[bool, str]:
    """Whether a cut-out may be used, and why."""
    if cutout.review == "refuse":
        return False, f"refused in review: {shown(cutout.reviewed)}" if cutout.reviewed else "refused in review"
    if cutout.replaced:
        source = "from review" if cutout.review_mask else "beside the photo"
        return False, f"cut out before the mask {source} was given"
    if cutout.quality is None:
        return False, cutout.reason or ""
    if cutout.review_mask:
        return True, "the mask from review"
    if cutout.review == "use":
        return True, ACCEPTED
    if _has_mask(cutout):
        return True, "the mask beside the photo"
    if cutout.choice:
        return cutout.choice == "use", f"{cutout.choice} in concepts.toml"
    if cutout.masked:
        return cutout.in_plan, "a mask that was removed since"
    quality = format_quality(cutout.quality)
    if cutout.quality >= cutout.gate:
        return True, f"quality {quality}, at least {cutout.gate:g}"
    return False, f"quality {quality}, below {cutout.gate:g}{flaws(cutout)}"


def _has_mask(cutout: CutoutUse) -> bool:
    """Whether the mask beside the photo is that by which it was cut out; earlier versions recorded only `masked`."""
    return cutout.masked and (cutout.beside is not None or cutout.mask is None)


def _by_concept(cutouts: Sequence[CutoutUse]) -> list[list[CutoutUse]]:
    found: dict[str, list[CutoutUse]] = {}
    for cutout in cutouts:
        found.setdefault(cutout.concept, []).append(cutout)
    return list(found.values())


def _best_instead(cutouts: Sequence[CutoutUse]) -> CutoutUse | None:
    """The best cut-out of a concept of which none is used, although it is below the gate; None if there is none."""
    below = [cutout for cutout in cutouts if cutout.below_gate]
    if any(cutout.used for cutout in cutouts) or not below:
        return None
    return max(below, key=lambda cutout: (cutout.quality or 0.0, cutout.id))


def _warn_of_lost_concept(cutouts: Sequence[CutoutUse], gate: float) -> None:
    concept, best = cutouts[0].concept, _best_instead(cutouts)
    if best is None:
        reasons = "; ".join(dict.fromkeys(cutout.why for cutout in cutouts))
        log.warning('concept "%s" is left out: none of its photos gave a cut-out (%s)', concept, reasons)
        return
    log.warning(
        'concept "%s" is left out: its best cut-out, of %s, has quality %s, below segment.min_quality %g; '
        "to use it all the same, add --keep-best",
        *(concept, best.id, format_quality(best.quality or 0.0), gate),
    )
