"""The poster's two tables of people's ratings: quality by rank, and preference by arm."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from mycanvas.io.messages import counted
from mycanvas.io.text import brief
from mycanvas.ratings.entries import RANKS, Preference, Rating
from mycanvas.ratings.files import SHOWN
from mycanvas.schema import SPLIT_TITLES, SPLITS

log = logging.getLogger("mycanvas")


@dataclass(frozen=True, kw_only=True, slots=True)
class QualityRow:
    """A row of the poster's quality table. counts: scenes of the split with rank 1, 2, 3, 4 and 5."""

    split: str
    counts: tuple[int, ...]

    @property
    def total(self) -> int:
        """Number of ranked scenes."""
        return sum(self.counts)

    @property
    def shares(self) -> tuple[float, ...]:
        """Percentage of the ranked scenes with each rank; they sum to 100."""
        return tuple(100 * count / self.total for count in self.counts)


def quality_table(ratings: Iterable[Rating], splits: Mapping[str, str]) -> tuple[QualityRow, ...]:
    """Count the scenes of each rank in each split; splits without a ranked scene are left out.

    The poster counts scenes, not ratings: a scene that several people rated counts once, with its `rank_of`.

    Args:
        ratings: of these scenes.
        splits: the split of every scene that may have been rated, kept or not, by its id.
    """
    scores: defaultdict[str, list[int]] = defaultdict(list)
    for rating in ratings:
        scores[rating.item].append(rating.score)
    found = {split: [0] * len(RANKS) for split in SPLITS}
    for item, given in scores.items():
        found[splits[item]][rank_of(given) - 1] += 1
    return tuple(QualityRow(split=split, counts=tuple(counts)) for split, counts in found.items() if any(counts))


def warn_of_unknown(items: Iterable[str], scenes: Collection[str]) -> None:
    """Warn of rated items that are not among the scenes of a dataset, so that their ratings do not count in it."""
    rated = dict.fromkeys(items)
    unknown = [item for item in rated if item not in scenes]
    if unknown:
        some = ", ".join(map(brief, unknown[:SHOWN])) + (", …" if len(unknown) > SHOWN else "")
        log.warning(
            "%d of %s left out, as the dataset has no such scenes: %s; to count their ratings, give the dataset in "
            "which they were rated",
            *(len(unknown), f"{counted(len(rated), 'rated item')} {'is' if len(unknown) == 1 else 'are'}", some),
        )


def rank_of(scores: Sequence[int]) -> int:
    """The rank of a scene that several people rated: the mean of their scores, rounded, halves up."""
    return (2 * sum(scores) + len(scores)) // (2 * len(scores))


@dataclass(frozen=True, kw_only=True, slots=True)
class PreferenceCell:
    """A cell of the poster's preference table: one arm, split and question.

    n, mean: of the scores of all raters and items. sd: their sample standard deviation (divided by n - 1); None for one
    score.
    """

    arm: str
    split: str
    question: str
    n: int
    mean: float
    sd: float | None


def preference_table(preferences: Iterable[Preference]) -> tuple[PreferenceCell, ...]:
    """Mean score of each arm and question on each split: by split, then in the order of the file."""
    scores: dict[tuple[str, str], dict[str, list[int]]] = {}
    for each in preferences:
        column = scores.setdefault((each.arm, each.question), {split: [] for split in SPLITS})
        column[each.split].append(each.score)
    return tuple(
        PreferenceCell(
            arm=arm,
            split=split,
            question=question,
            n=len(given),
            mean=fmean(given),
            sd=stdev(given) if len(given) > 1 else None,
        )
        for split in SPLITS
        for (arm, question), column in scores.items()
        if (given := column[split])
    )


PAPER_QUALITY = (
    QualityRow(split="objects_le3", counts=(9, 43, 72, 84, 56)),
    QualityRow(split="objects_4", counts=(16, 53, 112, 54, 32)),
    QualityRow(split="objects_5", counts=(19, 63, 127, 42, 18)),
)
"""The Gen4Gen poster's quality table."""

PAPER_PREFERENCE = {
    "CD + sources, personalization": ("3.5 (± 1.8)", "3.7 (± 1.9)", "3.9 (± 1.8)"),
    "CD + sources, alignment": ("3.9 (± 2.6)", "3.4 (± 2.8)", "3.3 (± 2.7)"),
    "CD + MyCanvas, personalization": ("6.8 (± 1.6)", "7.3 (± 1.8)", "6.6 (± 1.6)"),
    "CD + MyCanvas, alignment": ("7.1 (± 2.1)", "7.5 (± 2.7)", "6.4 (± 2.5)"),
    "Ours + MyCanvas, personalization": ("8.4 (± 1.1)", "8.6 (± 1.4)", "8.8 (± 1.1)"),
    "Ours + MyCanvas, alignment": ("8.2 (± 2.6)", "8.9 (± 2.7)", "8.6 (± 2.7)"),
}
"""The Gen4Gen poster's preference table: arm and question -> one text for each of SPLITS. "sources": source images."""


def quality_cells(rows: Sequence[QualityRow]) -> list[list[str]]:
    """The cells of the quality table: the paper's rows, marked as such, then ours and their sum."""
    added = tuple(sum(counts) for counts in zip(*(row.counts for row in rows), strict=True))
    return [
        ["split", *(f"rank {rank}" for rank in RANKS), "total"],
        *(_quality_row(f"paper: {SPLIT_TITLES[row.split]}", row) for row in PAPER_QUALITY),
        *(_quality_row(SPLIT_TITLES[row.split], row) for row in rows),
        _quality_row("all", QualityRow(split="all", counts=added)),
    ]


def _quality_row(name: str, row: QualityRow) -> list[str]:
    shares = (f"{n} ({share:.1f} %)" for n, share in zip(row.counts, row.shares, strict=True))
    return [name, *shares, f"{row.total}"]


def preference_cells(cells: Sequence[PreferenceCell]) -> list[list[str]]:
    """The cells of the preference table, "8.4 (± 1.1)": one row per arm and question, one column per split.

    The paper's rows come first, marked as such. The poster has arms as columns, which would not fit a terminal.
    """
    rows = list(dict.fromkeys((cell.arm, cell.question) for cell in cells))
    text = {(cell.arm, cell.question, cell.split): _mean_and_sd(cell) for cell in cells}
    return [
        ["arm", *(SPLIT_TITLES[split] for split in SPLITS)],
        *([f"paper: {name}", *texts] for name, texts in PAPER_PREFERENCE.items()),
        *(
            [f"{arm}, {question}" if question else arm, *(text.get((arm, question, split), "-") for split in SPLITS)]
            for arm, question in rows
        ),
    ]


def _mean_and_sd(cell: PreferenceCell) -> str:
    return f"{cell.mean:.1f}" if cell.sd is None else f"{cell.mean:.1f} (± {cell.sd:.1f})"
