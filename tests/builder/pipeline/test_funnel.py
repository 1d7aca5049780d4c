from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import pytest

from builder.pipeline.funnel import Funnel
from builder.records import Rejected
from builder.stages.select import Selection
from mycanvas.io.checked import read_checked, write_checked


@pytest.fixture
def funnel() -> Funnel:
    """Nine planned scenes: three rejected for two reasons, three dropped for two, three kept, one in each split."""
    planned = {f"{split}-{i}": split for split in ("objects_5", "objects_le3", "objects_4") for i in range(3)}
    rejected = [
        Rejected(sample_id="objects_4-2", stage="caption", reason="34 words are needed"),
        Rejected(sample_id="objects_5-2", stage="layout", reason="0.31 of mug2 is hidden"),
        Rejected(sample_id="objects_le3-2", stage="layout", reason="0.45 of mug2 is hidden"),
    ]
    made = [name for name in planned if name not in {each.sample_id for each in rejected}]
    dropped = {"objects_4-1": "border > 0.2", "objects_5-1": "visible < 0.6", "objects_le3-1": "visible < 0.6"}
    kept = tuple(name for name in made if name not in dropped)
    return Funnel.count(planned, rejected, made, Selection(kept=kept, dropped=dropped))


def test_splits_keep_their_order_and_frequent_reasons_come_first(funnel: Funnel) -> None:
    assert [line.split() for line in funnel.lines()] == [
        ["planned", "9"],
        ["rejected", "by", "layout:", "…", "of", "mug2", "is", "hidden", "-2"],
        ["rejected", "by", "caption:", "…", "words", "are", "needed", "-1"],
        ["made", "6"],
        ["dropped:", "visible", "<", "0.6", "-2"],
        ["dropped:", "border", ">", "0.2", "-1"],
        ["kept", "3"],
        ["objects_le3", "1"],
        ["objects_4", "1"],
        ["objects_5", "1"],
    ]


def test_stored_funnel_reads_back_equal(funnel: Funnel, tmp_path: Path) -> None:
    write_checked(tmp_path / "funnel.json", asdict(funnel))

    assert read_checked(tmp_path / "funnel.json", Funnel).ordered().lines() == funnel.lines()
