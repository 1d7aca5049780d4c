"""Names and values from outside, as messages repeat them."""

from __future__ import annotations

from typing import Any

import pytest

from mycanvas.io.text import QUOTED, brief, brief_repr, printable


@pytest.mark.parametrize(
    "name", ["a\x1b[2J\nerror: no\u2028\u202eb", "\udcff\ud800", "x" * 100_000, "\n" * 100_000, "", "dog"]
)
def test_names_are_repeated_on_one_short_line(name: str) -> None:
    repeated = brief(name)

    assert printable(repeated) == repeated
    assert "\n" not in repeated
    assert len(repeated) <= QUOTED
    assert repeated.startswith(name[:3]) or not name[:3].isalpha()


def test_values_are_repeated_on_one_short_line_however_deep_they_are() -> None:
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]

    for value in (deep, "x\n" * 100, 10**5000, float("nan"), "\u202e"):
        assert brief_repr(value).isprintable()
        assert len(brief_repr(value)) <= QUOTED
