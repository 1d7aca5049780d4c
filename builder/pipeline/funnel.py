"""Count the scenes that were planned, rejected (by stage and reason), made, dropped (by rule) and kept."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from builder.records import Rejected
from mycanvas.io.tables import table_lines
from mycanvas.schema import SPLITS

_NUMBER = re.compile(r"(?<![\w/.])\d+(\.\d+)?(?![\w/])")


@dataclass(frozen=True, kw_only=True, slots=True)
class Funnel:
    """Numbers of scenes. planned, made, kept: by split. rejected: by "stage: reason". dropped: by selection rule.

    again: attempts at scenes besides the first ones, so that planned and again are rejected or made.
    Splits are in the order of `mycanvas.schema.SPLITS`, reasons and rules in descending order of their counts.
    """

    planned: Mapping[str, int]
    rejected: Mapping[str, int]
    made: Mapping[str, int]
    dropped: Mapping[str, int]
    kept: Mapping[str, int]
    again: int = 0

    @classmethod
    def count(
        cls,
        *,
        planned: Mapping[str, int],
        again: int,
        rejected: Iterable[Rejected],
        made: Mapping[str, int],
        dropped: Mapping[str, int],
        kept: Mapping[str, int],
    ) -> Funnel:
        """Sort the counts.

        Args:
            planned: the number of planned scenes by split.
            again: the number of attempts at scenes besides the first ones.
            rejected: the rejections of all stages.
            made: the number of candidates by split.
            dropped: the number of candidates by the rule that dropped them.
            kept: the number of kept candidates by split.
        """
        return cls(
            planned=_by_split(planned),
            again=again,
            # Reasons contain measured values; reasons that differ only in numbers are counted together.
            rejected=_most_first(f"{each.stage}: {_NUMBER.sub('…', each.reason)}" for each in rejected),
            made=_by_split(made),
            dropped=_most_first(dropped),
            kept=_by_split(kept),
        )

    def ordered(self) -> Funnel:
        """Restore the order of the keys, which our JSON files sort."""
        return Funnel(
            planned=_by_split(self.planned),
            rejected=_most_first(self.rejected),
            made=_by_split(self.made),
            dropped=_most_first(self.dropped),
            kept=_by_split(self.kept),
            again=self.again,
        )

    def lines(self) -> list[str]:
        """Format the counts as a table for a terminal."""
        rows: list[tuple[str, int]] = [("planned", sum(self.planned.values()))]
        rows += [("  drawn again", self.again)] if self.again else []
        rows += [(f"  rejected by {reason}", -count) for reason, count in self.rejected.items()]
        rows += [("made", sum(self.made.values()))]
        rows += [(f"  dropped: {reason}", -count) for reason, count in self.dropped.items()]
        rows += [("kept", sum(self.kept.values()))]
        rows += [(f"  {split}", count) for split, count in self.kept.items() if count]
        return table_lines([(label, str(count)) for label, count in rows])


def _by_split(counts: Mapping[str, int]) -> dict[str, int]:
    return {split: counts.get(split, 0) for split in SPLITS}


def _most_first(names: Iterable[str] | Mapping[str, int]) -> dict[str, int]:
    return dict(sorted(Counter(names).items(), key=lambda item: (-item[1], item[0])))
