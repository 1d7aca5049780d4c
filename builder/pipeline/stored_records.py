"""Records in the JSON files of a build folder: the plan, and the markers of candidates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated

from pydantic import Field

from builder.records import Rejected


@dataclass(frozen=True, kw_only=True, slots=True)
class Marker:
    """The marker of a finished file of candidates.

    sha256: of the file. config: the digest of the configuration that the candidates were made with.
    """

    sha256: str
    rows: int
    config: str
    rejected: tuple[Rejected, ...]

    @property
    def retriable(self) -> bool:
        """Whether another run may add rows."""
        return any(rejection.retriable for rejection in self.rejected)


@dataclass(frozen=True, kw_only=True, slots=True)
class PlannedScene:
    """A scene of the plan. photos: the photo of each object. background: its photo's id, or "scene:variant"."""

    id: str
    composition: str
    num_objects: Annotated[int, Field(ge=1, le=5)]
    photos: tuple[str, ...]
    background: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """The content of plan.json: all scenes, in order.

    request: the digest of the request in build.json.
    cutouts: the names of the files of the cut-outs that the plan was drawn with, by photo; earlier versions had none.
    """

    request: str
    scenes: tuple[PlannedScene, ...]
    cutouts: Mapping[str, str] = field(default_factory=dict)
