"""The poster's table from the scores of pictures: means with intervals for each split and arm."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from mycanvas.io.tables import table_lines
from mycanvas.metrics.bootstrap import Estimate, Interval, difference, estimate
from mycanvas.metrics.registry import SCORES
from mycanvas.metrics.results import Evaluation, PictureScores
from mycanvas.models import split_name
from mycanvas.models.catalogue import DETECTOR, ENCODER
from mycanvas.schema import SPLIT_TITLES, SPLITS

PUBLISHED = ("cp_clip", "ti_clip")

PAPER: Mapping[str, Mapping[str, tuple[float, float]]] = {
    "CD + source images": {"objects_le3": (0.26, 0.16), "objects_4": (0.21, 0.13), "objects_5": (0.23, 0.17)},
    "CD + MyCanvas": {"objects_le3": (0.41, 0.17), "objects_4": (0.47, 0.17), "objects_5": (0.50, 0.15)},
    "Ours + MyCanvas": {"objects_le3": (0.51, 0.17), "objects_4": (0.55, 0.16), "objects_5": (0.57, 0.14)},
}
"""CP-CLIP and TI-CLIP on the Gen4Gen poster; CD is Custom Diffusion. The first is the baseline, the last its gain."""

NOTE = "[low, high]: 95 % interval over compositions; too narrow with fewer than ten."

Gain = tuple[float, Interval | None]
"""A difference of means, and its interval over compositions."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Split:
    """The means of one split. scores: by name; scores that no picture of the split has are missing."""

    pictures: int
    left_out: int
    compositions: int
    scores: Mapping[str, Estimate]


@dataclass(frozen=True, kw_only=True, slots=True)
class Arm:
    """One way of generating pictures. splits: those that it has pictures of, in the dataset's order."""

    name: str
    evaluation: Evaluation
    splits: Mapping[str, Split]


def summarise(name: str, evaluation: Evaluation, seed: int = 0) -> Arm:
    """Average an evaluation by split; the seed is the bootstrap's."""
    splits = {}
    for split in SPLITS:
        own = [picture for picture in evaluation.pictures if picture.split == split]
        left = sum(one.split == split for one in evaluation.left_out)
        if own or left:
            splits[split] = Split(
                pictures=len(own),
                left_out=left,
                compositions=len({picture.composition for picture in own}),
                scores=dict(_estimates(own, seed)),
            )
    return Arm(name=name, evaluation=evaluation, splits=splits)


def gain(arm: Arm, base: Arm, split: str, score: str, seed: int = 0) -> Gain | None:
    """The difference of a mean between an arm and the baseline; None where one of them has no such score."""
    (values, compositions), (base_values, base_compositions) = (_values(one, split, score) for one in (arm, base))
    if not values or not base_values:
        return None
    return difference(values, compositions, base_values, base_compositions, seed)


def paper_gain() -> Mapping[str, float]:
    """The poster's row "vs. baseline", computed from its other rows."""
    base, *_, best = PAPER.values()
    return {split: round(best[split][0] - base[split][0], 2) for split in SPLITS}


def rows(arms: Sequence[Arm]) -> Iterator[tuple[str, list[str]]]:
    """The poster's table: its own rows marked as the paper's, then ours; CP-CLIP and TI-CLIP of each split."""
    for name, values in PAPER.items():
        yield f"paper: {name}", [f"{value:.2f}" for split in SPLITS for value in values[split]]
    yield "paper: vs. baseline", [text for split in SPLITS for text in (f"{paper_gain()[split]:+.2f}", "-")]
    for arm in arms:
        yield arm.name, [_mean(arm, split, score) for split in SPLITS for score in PUBLISHED]
    for arm in arms[1:]:
        cells = [_gained(gain(arm, arms[0], split, "cp_clip")) for split in SPLITS]
        yield f"{arm.name} vs. {arms[0].name}", [text for cell in cells for text in (cell, "-")]


def details(arm: Arm) -> Iterator[tuple[str, list[str]]]:
    """An arm's counts, and each score with its interval over compositions."""
    yield "pictures", [_pictures(arm.splits.get(split)) for split in SPLITS]
    yield "compositions", [str(arm.splits[split].compositions) if split in arm.splits else "-" for split in SPLITS]
    for score in SCORES:
        found = [arm.splits[split].scores.get(score) if split in arm.splits else None for split in SPLITS]
        yield _label(score), [_with_interval(one.mean, one.compositions) if one else "-" for one in found]


def gains(arm: Arm, base: Arm) -> Iterator[tuple[str, list[str]]]:
    """The difference of each score that an arm and the baseline have, with its interval."""
    for score in SCORES:
        found = [gain(arm, base, split, score) for split in SPLITS]
        if any(found):
            yield _label(score), [_with_interval(*one, sign="+") if one else "-" for one in found]


def remarks(arms: Sequence[Arm], models: Mapping[str, str], left_out: Sequence[str] = ()) -> list[str]:
    """Remarks that a reader of the tables should know.

    Args:
        arms: the arms in the tables.
        models: the models by role, as in `Run`.
        left_out: compositions that were not to be scored.
    """
    first = {(picture.split, picture.composition) for picture in arms[0].evaluation.pictures}
    other = [arm.name for arm in arms[1:] if {(one.split, one.composition) for one in arm.evaluation.pictures} != first]
    notes = [NOTE]
    if left_out:
        notes.append(f"Left out, as not all arms have all their pictures: {', '.join(left_out)}.")
    if other:
        notes.append(f"{', '.join(other)}: other compositions than {arms[0].name}; the means are not comparable.")
    if [split_name(name)[0] for name in models.values()] != [split_name(name)[0] for name in (ENCODER, DETECTOR)]:
        notes.append("The paper used CLIP B/32 and OWL-ViT B/32; other models are not comparable.")
    return notes


def lines(arms: Sequence[Arm], models: Mapping[str, str], left_out: Sequence[str] = ()) -> list[str]:
    """The tables, for a terminal of 80 columns; models, left_out: as for `remarks`."""
    pairs = ([name, *map("{:<8}{:<8}".format, cells[::2], cells[1::2])] for name, cells in rows(arms))
    heads = [["", *(SPLIT_TITLES[split] for split in SPLITS)], ["", *["CP-CLIP TI-CLIP"] * len(SPLITS)]]
    text = table_lines([*heads, *pairs], align="left")
    for arm in arms:
        text += ["", *_section(arm.name, details(arm))]
        text += [f"left out: {one.id} ({one.reason})" for one in arm.evaluation.left_out]
    for arm in arms[1:]:
        text += ["", *_section(f"{arm.name} vs. {arms[0].name}", gains(arm, arms[0]))]
    measured = (f"{part:<9} {name}" for part, name in models.items())
    return [line.rstrip() for line in [*text, "", *measured, *remarks(arms, models, left_out)]]


def _section(title: str, body: Iterable[tuple[str, Sequence[str]]]) -> Iterator[str]:
    """A table below its title, which has a line of its own where it is long."""
    scores = [[f"  {name}", *cells] for name, cells in body]
    fits = len(title) <= max((len(row[0]) for row in scores), default=0)
    head = [title if fits else "", *(SPLIT_TITLES[split] for split in SPLITS)]
    yield from [] if fits else [title]
    yield from table_lines([head, *scores], align="left")


def _label(score: str) -> str:
    return SCORES[score].title + SCORES[score].better


def _estimates(pictures: Sequence[PictureScores], seed: int) -> Iterator[tuple[str, Estimate]]:
    for score in SCORES:
        found = [(float(value), one.composition) for one in pictures if (value := one.scores[score]) is not None]
        if found:
            values, compositions = zip(*found, strict=True)
            yield score, estimate(values, compositions, seed)


def _values(arm: Arm, split: str, score: str) -> tuple[list[float], list[str]]:
    found = [
        (float(value), one.composition)
        for one in arm.evaluation.pictures
        if one.split == split and (value := one.scores[score]) is not None
    ]
    return [value for value, _ in found], [composition for _, composition in found]


def _mean(arm: Arm, split: str, score: str) -> str:
    found = arm.splits[split].scores.get(score) if split in arm.splits else None
    return f"{found.mean:z.2f}" if found else "-"


def _gained(found: Gain | None) -> str:
    return f"{found[0]:+z.2f}" if found else "-"


def _pictures(split: Split | None) -> str:
    if split is None:
        return "-"
    return f"{split.pictures}" + (f" ({split.left_out} left out)" if split.left_out else "")


def _with_interval(mean: float, ends: Interval | None, sign: str = "") -> str:
    low_high = ", ".join(f"{end:{sign}z.2f}" for end in ends or ())
    return f"{mean:{sign}z.2f}" + (f" [{low_high}]" if ends else "")
