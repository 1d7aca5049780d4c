"""A shard of candidates that two processes write at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from builder.pipeline.build_folder import BuildFolder
from builder.pipeline.rows import Row

LOSER, WINNER = "the first process", "the second process"


class Overtaken(Sequence[Row]):
    """The rows of a process that another one overtakes when its scenes are written, and its scores are not."""

    def __init__(self, folder: BuildFolder) -> None:
        self._folder, self._reads = folder, 0

    def __len__(self) -> int:
        return 1

    def __getitem__(self, index: object) -> Row:  # type: ignore[override]
        raise NotImplementedError

    def __iter__(self) -> Iterator[Row]:
        self._reads += 1
        if self._reads == 2:
            self._folder.write_candidates(0, [row(WINNER)], (), "config", "plan")
        return iter([row(LOSER)])


def row(caption: str) -> Row:
    return {"id": "4f1c2a9b01-00000", "caption": caption, "num_objects": 1}


def test_marker_never_names_files_of_two_processes(tmp_path: Path) -> None:
    folder = BuildFolder(tmp_path)

    folder.write_candidates(0, Overtaken(folder), (), "config", "plan")

    assert [each["caption"] for each in folder.candidates(0)] == [WINNER]
    assert folder.marker(0) is None
    folder.write_candidates(0, [row(LOSER)], (), "config", "plan")
    assert folder.marker(0) is not None
