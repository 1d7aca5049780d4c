"""Histograms: round edges around all values."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builder.pipeline.histogram import MOST_BINS, histogram

NUMBERS = st.lists(st.floats(-1000, 1000).filter(lambda value: value == 0 or abs(value) > 1e-4), max_size=30)


@given(values=NUMBERS, marks=st.lists(st.floats(0, 1), max_size=1), whole=st.booleans())
def test_every_value_is_counted_within_few_bins(values: list[float], marks: list[float], whole: bool) -> None:
    values = [float(round(value)) for value in values] if whole else values
    found = histogram(values, marks, whole=whole)

    assert sum(found.counts) == len(values)
    assert len(found.edges) == len(found.counts) + 1 <= MOST_BINS + 3
    assert list(found.edges) == sorted(set(found.edges))
    rounding = 1e-6 * (found.edges[1] - found.edges[0])
    assert all(found.edges[0] - rounding <= mark <= found.edges[-1] + rounding for mark in (*marks, *found.ticks))


@pytest.mark.parametrize(
    ("values", "edges"),
    [
        ([0.0, 1.0], (0.0, 1.0)),
        ([0.61, 0.99], (0.6, 1.0)),
        ([0.5, 0.5], (0.45, 0.55)),
        ([3, 40], (2, 40)),
        ([], (0.0, 1.0)),
    ],
)
def test_edges_are_round(values: list[float], edges: tuple[float, float]) -> None:
    found = histogram(values)

    assert (found.edges[0], found.edges[-1]) == edges


def test_whole_numbers_are_in_the_middle_of_their_bins() -> None:
    found = histogram([4, 5, 5, 7], whole=True)

    assert found.edges == (3.5, 4.5, 5.5, 6.5, 7.5)
    assert found.counts == (1, 2, 0, 1)
