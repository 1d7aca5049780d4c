"""Records in the JSON files of a build folder: steps of the plan, and the markers of candidates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field

from builder.records import Rejected


@dataclass(frozen=True, kw_only=True, slots=True)
class Marker:
    """The marker of a finished file of candidates.

    sha256: of the file. scores: the sha256 of the file of its score columns. config: the digest of the settings that
    the candidates were made with. plan: the sha256 of the step of the plan that has their scenes.
    """

    sha256: str
    rows: int
    config: str
    rejected: tuple[Rejected, ...]
    scores: str
    plan: str

    @property
    def retriable(self) -> bool:
        """Whether another run may add rows."""
        return any(rejection.retriable for rejection in self.rejected)


@dataclass(frozen=True, kw_only=True, slots=True)
class PlanStep:
    """A step of the plan: the content of plan/NNNNN.json. Its scenes are in plan/NNNNN.arrow.

    request: everything that its scenes depend on.
    select: [select] when it was drawn, whose bounds and attempts count for its scenes whatever is selected later.
    cutouts: the names of the files of the cut-outs that it was drawn with, by photo.
    sha256, rows: of the file of scenes. shard_size: scenes of each shard; the last one may have fewer.
    """

    request: Mapping[str, Any]
    select: Mapping[str, Any]
    cutouts: Mapping[str, str]
    sha256: str
    rows: Annotated[int, Field(ge=1)]
    shard_size: Annotated[int, Field(ge=1)]
