from __future__ import annotations

import numpy as np
import pytest

from mycanvas.metrics.bootstrap import difference, estimate

RANDOM = np.random.default_rng(0)


def test_the_interval_over_pictures_is_about_two_standard_errors_each_way() -> None:
    values = RANDOM.normal(0.5, 0.1, 400)
    found = estimate(values, [str(i % 20) for i in range(400)])

    assert found.mean == pytest.approx(values.mean())
    assert found.images == pytest.approx(values.mean() + np.array([-1, 1]) * 1.96 * values.std() / 20, abs=2e-3)


def test_pictures_that_resemble_each_other_within_a_composition_widen_the_interval_over_compositions() -> None:
    of_composition = RANDOM.normal(0.5, 0.1, 25)
    values = np.repeat(of_composition, 16) + RANDOM.normal(0, 0.01, 400)
    names = [f"c{i // 16}" for i in range(400)]
    found = estimate(values, names)

    assert found.images is not None
    assert found.compositions is not None
    assert np.ptp(found.compositions) == pytest.approx(2 * 1.96 * of_composition.std() / 5, rel=0.1)
    assert np.ptp(found.compositions) > 3 * np.ptp(found.images)


def test_the_order_of_pictures_changes_no_interval_and_the_seed_does() -> None:
    values, names = RANDOM.uniform(size=30), [f"c{i % 7}" for i in range(30)]
    order = RANDOM.permutation(30)

    shuffled = estimate(values[order], [names[i] for i in order])
    assert shuffled.images == pytest.approx(estimate(values, names).images)
    assert shuffled.compositions == pytest.approx(estimate(values, names).compositions)
    assert estimate(values, names, seed=1).compositions != estimate(values, names).compositions


def test_one_picture_or_one_composition_has_no_interval() -> None:
    assert estimate([0.5], ["a"]).images is None
    found = estimate([0.5, 0.7], ["a", "a"])
    assert found.images is not None
    assert found.compositions is None


def test_a_difference_is_drawn_in_pairs_of_compositions() -> None:
    """A hard composition is hard for both arms, so the gain is more certain than either mean."""
    hard, names = RANDOM.uniform(0, 1, 20), [f"c{i}" for i in range(20)]
    gain, interval = difference(hard + 0.1, names, hard, names)

    assert gain == pytest.approx(0.1)
    assert interval == pytest.approx((0.1, 0.1))
    alone = estimate(hard, names).compositions
    assert alone is not None
    assert np.ptp(alone) > 0.15
    assert difference(hard, names, hard, [f"d{i}" for i in range(20)])[1] is None
