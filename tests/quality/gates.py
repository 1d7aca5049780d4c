"""Choose a gate on the quality of cut-outs, and judge it on subjects that it was not chosen on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

from scipy.stats import binomtest

PRECISION, PRECISION_OF_TRICUT = 0.95, 0.75
"""Fraction of the used cut-outs that shall be usable: a higher one leaves TriCut few photos; see docs/quality.md."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """One labelled cut-out."""

    subject: str
    quality: float
    usable: bool


def precision_of(segmenter: str) -> float:
    """The precision for which the gate of a segmenter, by its name in cutouts.csv, is chosen."""
    return PRECISION_OF_TRICUT if segmenter == "tricut" else PRECISION


def chosen_gate(outcomes: Sequence[Outcome], precision: float) -> float:
    """The lowest gate with which at least this fraction of the used cut-outs is usable; infinite if there is none."""
    ordered = sorted(outcomes, key=lambda outcome: -outcome.quality)
    gate, usable = inf, 0
    for count, outcome in enumerate(ordered, start=1):
        usable += outcome.usable
        following = ordered[count].quality if count < len(ordered) else 0.0
        if following < outcome.quality and usable >= precision * count:
            gate = (outcome.quality + following) / 2
    return gate


def cross_validated(outcomes: Sequence[Outcome], precision: float) -> list[bool]:
    """Whether each cut-out is used with a gate chosen on the other subjects (leave-one-out cross-validation)."""
    gates = {
        subject: chosen_gate([other for other in outcomes if other.subject != subject], precision)
        for subject in {outcome.subject for outcome in outcomes}
    }
    return [outcome.quality >= gates[outcome.subject] for outcome in outcomes]


def format_figures(used: Sequence[bool], outcomes: Sequence[Outcome]) -> str:
    """Format the share used, the precision with its interval (Wilson's, of 95 %), and the recall."""
    count = sum(used)
    right = sum(is_used and outcome.usable for is_used, outcome in zip(used, outcomes, strict=True))
    low, high = binomtest(right, count).proportion_ci(method="wilson") if count else (0.0, 1.0)
    usable = max(1, sum(outcome.usable for outcome in outcomes))
    precision = right / max(1, count)
    return f"{count / len(outcomes):6.2f}{precision:10.2f}{right / usable:7.2f}  ({low:.2f} to {high:.2f})"
