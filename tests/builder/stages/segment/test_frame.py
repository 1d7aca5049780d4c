"""Letterbox bars, and the sides at which a photo's frame cuts its object."""

from __future__ import annotations

import numpy as np
import pytest

from builder.stages.segment.frame import content, cut_off, ends_at_frame


@pytest.mark.parametrize(("share", "cut"), [(0.0, False), (0.2, False), (0.3, True), (0.5, True), (1.0, True)])
def test_object_is_cut_off_below_from_a_quarter_of_its_width_on_the_lower_edge(share: float, cut: bool) -> None:
    mask = np.zeros((200, 200), np.bool_)
    mask[50:190, 50:150] = True
    mask[190:, 50 : 50 + round(100 * share)] = True

    assert ends_at_frame(mask) == cut


@pytest.mark.parametrize(
    ("rows", "columns", "bottom", "others"),
    [
        (slice(50, 150), slice(50, 150), 0, 0),
        (slice(100, 200), slice(50, 150), 1, 0),
        (slice(0, 100), slice(50, 150), 0, 1),
        (slice(50, 150), slice(0, 100), 0, 1),
        (slice(50, 150), slice(100, 200), 0, 1),
    ],
    ids=["inside", "below", "above", "left", "right"],
)
def test_outline_on_each_side_of_the_frame_is_measured(
    rows: slice, columns: slice, bottom: float, others: float
) -> None:
    mask = np.zeros((200, 200), np.bool_)
    mask[rows, columns] = True

    assert cut_off(mask) == (bottom, others)


def test_black_bars_are_left_out_with_their_blurred_edge() -> None:
    photo = np.full((256, 256, 3), 120, np.uint8)
    photo[:40] = photo[216:] = 8  # black, as JPEG keeps it

    assert content(photo) == (slice(42, 214), slice(0, 256))


@pytest.mark.parametrize("grey", [12, 30])
def test_dark_part_of_a_picture_is_no_bar(grey: int) -> None:
    photo = np.full((256, 256, 3), 120, np.uint8)
    photo[:40] = grey

    assert content(photo) == (slice(0, 256), slice(0, 256))


@pytest.mark.parametrize(("bright", "rows"), [(60, slice(0, 256)), (160, slice(50, 206))])
def test_bars_are_part_of_the_picture_if_they_leave_less_than_two_fifths(bright: int, rows: slice) -> None:
    photo = np.zeros((256, 256, 3), np.uint8)
    first = (256 - bright) // 2
    photo[first : first + bright] = 120

    assert content(photo)[0] == rows
