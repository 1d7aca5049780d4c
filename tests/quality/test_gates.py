"""The choice of a gate and its intervals, and the labels."""

import pytest

from tests.quality.cutouts import read_labels
from tests.quality.gates import Outcome, chosen_gate, cross_validated, format_figures


def outcomes(*rows: tuple[str, float, bool]) -> list[Outcome]:
    return [Outcome(subject=subject, quality=quality, usable=usable) for subject, quality, usable in rows]


def test_lowest_gate_with_the_precision_is_chosen() -> None:
    found = outcomes(("a", 0.9, True), ("a", 0.8, False), ("b", 0.7, True), ("b", 0.6, True), ("b", 0.2, False))
    assert chosen_gate(found, 0.75) == pytest.approx(0.4)
    assert chosen_gate(found, 0.9) == pytest.approx(0.85)


def test_equal_qualities_are_not_parted() -> None:
    assert chosen_gate(outcomes(("a", 0.9, True), ("b", 0.9, False)), 0.9) == float("inf")


def test_a_subject_is_judged_by_the_gate_of_the_others() -> None:
    # The others of "a" give a gate of 0.75, those of "b" one of 0.55.
    found = outcomes(("a", 0.9, True), ("a", 0.6, True), ("a", 0.5, False), ("b", 0.8, True), ("b", 0.7, False))
    assert cross_validated(found, 0.9) == [True, False, False, True, True]


def test_share_precision_recall_and_interval_are_formatted() -> None:
    found = outcomes(*[("a", 0.9, True)] * 8, *[("a", 0.8, False)] * 2, *[("b", 0.1, True)] * 10)
    assert format_figures([True] * 10 + [False] * 10, found).split() == ["0.50", "0.80", "0.44", "(0.49", "to", "0.94)"]
    assert format_figures([False] * 20, found).split() == ["0.00", "0.00", "0.00", "(0.00", "to", "1.00)"]


def test_labels_are_complete() -> None:
    labels = read_labels()
    assert len(labels) >= 300
    assert {grade for grade, _ in labels.values()} == {0, 1, 2}
    assert all(0 <= area <= 1 for _, area in labels.values())
