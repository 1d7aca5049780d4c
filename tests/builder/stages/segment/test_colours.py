"""Colours that a cut-out shares with its photo's ground, and those that the other photos of its concept lack."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from builder.records import ColourCounts
from builder.stages.segment.colours import carried_ground, count_colours, intrusion, unlikeness

RED, BLUE, GRASS, TABLE, SKIN = (200, 40, 40), (40, 60, 200), (60, 140, 40), (170, 130, 90), (225, 170, 140)


def photo(*, foot: tuple[int, int, int] = RED, ground: tuple[int, int, int] = TABLE, size: int = 200) -> ColourCounts:
    """The colours of a red box on the ground; foot: the colour of its lowest eighth."""
    noise = np.random.default_rng(1).normal(0, 4, (size, size, 3))
    picture = np.full((size, size, 3), (230, 230, 230), np.float64)
    picture[size // 2 :] = ground
    box = np.s_[size // 4 : size * 3 // 4, size // 4 : size * 3 // 4]
    picture[box] = RED
    picture[size * 11 // 16 : size * 3 // 4, size // 4 : size * 3 // 4] = foot
    mask = np.zeros((size, size), np.bool_)
    mask[box] = True
    return count_colours(np.clip(picture + noise, 0, 255).astype(np.uint8), mask)


def test_grass_over_the_foot_is_the_ground_of_its_photo() -> None:
    siblings = [photo(), photo(ground=BLUE)]

    assert carried_ground(photo(foot=GRASS, ground=GRASS), siblings) == pytest.approx(0.5, abs=0.05)
    assert carried_ground(photo(foot=BLUE, ground=GRASS), siblings) == 0, "blue, but not the ground's"
    assert carried_ground(photo(ground=GRASS), siblings) == 0


def test_a_colour_that_a_sibling_has_is_the_objects_own() -> None:
    on_grass = photo(foot=GRASS, ground=GRASS)

    assert carried_ground(on_grass, [photo(), photo(foot=GRASS)]) == 0
    assert carried_ground(on_grass, []) == 0


def test_intrusion_is_what_most_siblings_do_not_show() -> None:
    held = photo(foot=SKIN)

    assert intrusion(held, [photo(), photo(), photo()]) == pytest.approx(0.5, abs=0.05)
    assert intrusion(held, [photo(), photo(), photo(foot=SKIN)]) == pytest.approx(0.5, abs=0.05)
    assert intrusion(held, [photo(foot=SKIN), photo(), photo(foot=SKIN)]) == 0
    assert intrusion(held, [photo()]) == 0, "one sibling proves nothing"


def test_unlikeness_compares_with_the_most_similar_sibling() -> None:
    assert unlikeness(photo(), [photo(foot=BLUE), photo()]) == pytest.approx(0, abs=0.01)
    assert unlikeness(photo(foot=BLUE), [photo()]) == pytest.approx(0.125, abs=0.03)
    assert unlikeness(photo(), []) == 0


def test_size_of_the_photo_hardly_matters() -> None:
    siblings = [photo(), photo(size=1200)]

    assert carried_ground(photo(foot=GRASS, ground=GRASS, size=1200), siblings) == pytest.approx(0.5, abs=0.05)
    assert unlikeness(photo(size=1200), [photo()]) == pytest.approx(0, abs=0.1)


def test_an_object_that_fills_its_photo_has_no_ground() -> None:
    whole = cv2.resize(np.full((4, 4, 3), RED, np.uint8), (100, 100))
    counts = count_colours(whole, np.ones((100, 100), np.bool_))

    assert counts[2].sum() == 0
    assert carried_ground(counts, [photo()]) == 0
