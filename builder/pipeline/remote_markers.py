"""The markers of shards at a URL; each names the objects of its shard by their sha256.

URL/.build/candidates/NNNNN.json       the marker of a shard
URL/.build/candidates/<sha256>.arrow   files of candidates and of their score columns
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from builder.pipeline.remote_objects import check_files
from builder.pipeline.stored_records import Marker
from mycanvas.io.checked import parse_checked_or_none

CANDIDATES = ".build/candidates"
SCORES = ".scores.arrow"
"""The end of the names of the files that selection reads."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RemoteMarker:
    """The content of a marker at a URL. marker: of the build folder. files: the sha256 of the others, by name."""

    marker: Marker
    files: Mapping[str, str]

    def __post_init__(self) -> None:
        check_files({f"{CANDIDATES}/{name}": sha256 for name, sha256 in self.files.items()})

    @classmethod
    def of(cls, shard: int, marker: Marker) -> RemoteMarker:
        """The marker at a URL of a shard with this one in the build folder."""
        return cls(marker=marker, files={f"{shard:05d}.arrow": marker.sha256, f"{shard:05d}{SCORES}": marker.scores})

    @classmethod
    def parsed(cls, shard: int, content: bytes, url: str) -> RemoteMarker | None:
        """Read the marker of a shard; None if it is damaged, or names other files than those of the shard.

        Raises:
            StoreError: it was written by a later version of this program.
        """
        found = parse_checked_or_none(content, f"{url}/{marker_name(shard)}", cls)
        return found if found and found == cls.of(shard, found.marker) else None

    def retriable(self) -> int:
        """The number of rejections that another run may turn into scenes."""
        return sum(rejection.retriable for rejection in self.marker.rejected)


def marker_name(shard: int) -> str:
    """The object of the marker of a shard."""
    return f"{CANDIDATES}/{shard:05d}.json"


def candidate_name(sha256: str) -> str:
    """The object of a file of a shard."""
    return f"{CANDIDATES}/{sha256}.arrow"
