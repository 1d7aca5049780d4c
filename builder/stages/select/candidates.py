"""Candidates without their pixels: as records, or as columns, of which a million take little memory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True, slots=True)
class Judged:
    """A candidate without its pixels.

    rank: 1 to 5, by people; None: not ranked. flag: the reason for which a person flagged it, if one did.
    refused: why it leaves for a decision about one of its cut-outs, such as "cut-out refused: dog6/03.jpg"; None: it
    may stay. scene: the planned scene of which it is an attempt; "": it is the only one. step: of the plan.
    """

    id: str
    composition: str
    scores: Mapping[str, float | None]
    fingerprint: int
    rank: int | None = None
    flag: str | None = None
    refused: str | None = None
    scene: str = ""
    step: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Candidates:
    """The facts of many candidates, entry i of each column is of candidate i. Attempts of a scene are in their order.

    compositions, scenes: equal numbers for an equal composition or planned scene. steps: of the plan.
    scores: float64 by name; NaN where a score was not measured. fingerprints: uint64.
    ranks: 1 to 5, by people; 0: not ranked. flags, refused: as in `Judged`, by the candidate's number.
    """

    ids: Sequence[str]
    compositions: NDArray[np.int64]
    scenes: NDArray[np.int64]
    steps: NDArray[np.int64]
    scores: Mapping[str, NDArray[np.float64]]
    fingerprints: NDArray[np.uint64]
    ranks: NDArray[np.int8]
    flags: Mapping[int, str] = field(default_factory=dict)
    refused: Mapping[int, str] = field(default_factory=dict)

    @classmethod
    def of(cls, judged: Iterable[Judged]) -> Candidates:
        """Convert records to columns."""
        rows = list(judged)
        names = sorted({name for row in rows for name in row.scores})
        return cls(
            ids=[row.id for row in rows],
            compositions=numbered([row.composition for row in rows]),
            scenes=numbered([row.scene or row.id for row in rows]),
            steps=np.array([row.step for row in rows], np.int64),
            scores={name: np.array([row.scores.get(name) for row in rows], np.float64) for name in names},
            fingerprints=np.array([row.fingerprint for row in rows], np.uint64),
            ranks=np.array([row.rank or 0 for row in rows], np.int8),
            flags={index: row.flag for index, row in enumerate(rows) if row.flag},
            refused={index: row.refused for index, row in enumerate(rows) if row.refused},
        )


def numbered(names: Iterable[str]) -> NDArray[np.int64]:
    """Number names in the order in which they come first."""
    known: dict[str, int] = {}
    return np.array([known.setdefault(name, len(known)) for name in names], np.int64)
