from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import pytest

from builder.pipeline.funnel import Funnel
from builder.records import Rejected
from mycanvas.io.checked import read_checked, write_checked


@pytest.fixture
def funnel() -> Funnel:
    """Nine planned scenes: three rejected for two reasons, three dropped for two, three kept, one in each split."""
    rejected = [
        Rejected(sample_id="objects_4-2", stage="caption", reason="34 words are needed"),
        Rejected(sample_id="objects_5-2", stage="layout", reason="0.31 of mug2 is hidden"),
        Rejected(sample_id="objects_le3-2", stage="layout", reason="0.45 of mug2 is hidden"),
    ]
    planned, made, kept = ({f"objects_{split}": count for split in ("5", "le3", "4")} for count in (3, 2, 1))
    dropped = {"border > 0.2": 1, "visible < 0.6": 2}
    return Funnel.count(planned=planned, again=2, rejected=rejected, made=made, dropped=dropped, kept=kept)


def test_splits_keep_their_order_and_frequent_reasons_come_first(funnel: Funnel) -> None:
    assert [line.split() for line in funnel.lines()] == [
        ["planned", "9"],
        ["drawn", "again", "2"],
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
