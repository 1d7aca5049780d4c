"""The plots of a card show their numbers."""

from __future__ import annotations

import numpy as np
import pytest

from dataset_card import Histogram, count_ticks, draw_heat_map, draw_histogram
from dataset_card.plots import BAR, BOTTOM, FILL, LEFT, RIGHT, SIZE, TOP


def test_heat_map_is_darkest_where_values_are_largest() -> None:
    values = np.array([[0.0, 1.0], [2.0, 4.0]])

    image = draw_heat_map(values, "Title", ("across", "down", "number"))

    width, height = SIZE[0] - LEFT - RIGHT - BAR, SIZE[1] - TOP - BOTTOM
    grey = np.asarray(image.convert("L"))
    shades = [[grey[TOP + height * y // 4, LEFT + width * x // 4] for x in (1, 3)] for y in (1, 3)]
    assert shades[0][0] > shades[0][1] > shades[1][0] > shades[1][1]


def test_bars_are_as_tall_as_their_counts() -> None:
    image = np.asarray(
        draw_histogram(Histogram(edges=(0, 1, 2, 3), counts=(5, 0, 10), ticks=(0, 3)), "Title", ("values", "number"))
    )

    width = SIZE[0] - LEFT - RIGHT
    tall = [int((image[:, LEFT + width * part // 6] == FILL).all(axis=1).sum()) for part in (1, 3, 5)]
    assert tall[1] == 0
    assert tall[2] == pytest.approx(SIZE[1] - TOP - BOTTOM, abs=3)
    assert tall[0] == pytest.approx(tall[2] / 2, abs=3)


@pytest.mark.parametrize(
    ("most", "ticks"), [(0, (0, 1)), (1, (0, 1)), (5, (0, 1, 2, 3, 4, 5)), (47, (0, 10, 20, 30, 40, 50))]
)
def test_ticks_of_counts_are_round_and_reach_the_largest(most: int, ticks: tuple[int, ...]) -> None:
    assert count_ticks(most) == ticks
