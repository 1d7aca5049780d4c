from __future__ import annotations

import json
from pathlib import Path

from mycanvas import __version__
from mycanvas.io.tables import Table, table_lines


def test_columns_are_aligned_two_spaces_apart() -> None:
    rows = [("score", "5 %", "mean"), ("  seam", "0.100", "-0.5")]

    assert table_lines(rows) == ["score     5 %  mean", "  seam  0.100  -0.5"]
    assert table_lines(rows, align="left") == ["score   5 %    mean", "  seam  0.100  -0.5"]


def test_texts_that_look_like_numbers_are_printed_as_given() -> None:
    assert table_lines([("1e3", "007"), ("+0.50", "1,000")]) == ["1e3      007", "+0.50  1,000"]


def test_lines_have_no_trailing_spaces_and_no_rows_are_no_lines() -> None:
    assert table_lines([("a", ""), ("long name", "yes")], align="left") == ["a", "long name  yes"]
    assert table_lines([]) == []


def test_table_prints_title_and_notes_and_writes_its_numbers(tmp_path: Path) -> None:
    table = Table(key="ranks", title="Ranks", cells=[["split", "n"], ["a", "12"]], values={"a": 12}, notes=["small"])

    assert table.lines() == ["Ranks", "split   n", "a      12", "small"]
    assert table.write(tmp_path) == tmp_path / "ranks.json"
    assert json.loads((tmp_path / "ranks.json").read_text()) == {"mycanvas": __version__, "a": 12}
