"""Pasting applies alpha once, in the order of depth, and finds the visible pixels exactly."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import pytest

from builder.records import (
    Background,
    BackgroundRef,
    Canvas,
    Concept,
    Cutout,
    Layer,
    Layout,
    Placement,
    Rejected,
    Rgba,
    Sample,
    Setting,
    Size,
)
from builder.stages.paste import paste, visible_mask

SIZE = 200


def disc(size: int = 120, colour: tuple[int, int, int] = (200, 40, 30)) -> Rgba:
    """A disc with a soft edge; its hidden pixels are green."""
    rgba = np.full((size, size, 4), (0, 255, 0, 0), np.uint8)
    alpha = np.zeros((size, size), np.float32)
    cv2.circle(alpha, (size // 2, size // 2), size // 2 - 6, 1.0, -1)
    alpha = cv2.GaussianBlur(alpha, (0, 0), 2)
    rgba[alpha > 0, :3] = colour
    rgba[..., 3] = np.rint(alpha * 255)
    return rgba


def layout(rgbas: Sequence[Rgba], placements: Sequence[Placement]) -> Layout:
    sample = Sample(
        id="sample",
        concepts=tuple(
            Concept(name=f"thing{i}", token=f"<thing{i}>", class_noun="thing", height_cm=None, photos=())
            for i in range(len(rgbas))
        ),
        photo_ids=("photo",) * len(rgbas),
        background=BackgroundRef(scene="garden", phrase="in a garden"),
    )
    cutouts = tuple(Cutout(photo_id="photo", rgba=rgba, quality=1.0) for rgba in rgbas)
    background = Background(pixels=np.zeros((SIZE, SIZE, 3), np.uint8), horizon=0.4, ground=0.6)
    return Layout(setting=Setting(sample=sample, cutouts=cutouts, background=background), placements=tuple(placements))


def pasted(rgbas: Sequence[Rgba], placements: Sequence[Placement]) -> Canvas:
    (canvas,) = paste([layout(rgbas, placements)])
    assert isinstance(canvas, Canvas)
    return canvas


def test_cutout_placed_at_its_own_size_is_unchanged() -> None:
    rgba = disc()

    (layer,) = pasted([rgba], [Placement(x=30, y=40, width=120, height=120, depth=0)]).layers

    seen = rgba[..., 3] > 0
    assert (layer.x, layer.y) == (30, 40)
    np.testing.assert_array_equal(layer.alpha, rgba[..., 3].astype(np.float32) / 255)
    tolerance = np.ceil(127.5 / rgba[seen, 3].astype(np.float64))[:, None]  # half a level, premultiplied
    assert (np.abs(layer.rgb[seen].astype(int) - rgba[seen, :3]) <= tolerance).all()
    np.testing.assert_array_equal(layer.rgb[rgba[..., 3] == 255], rgba[rgba[..., 3] == 255, :3])


@pytest.mark.parametrize("side", [150, 90, 60, 31, 12])
def test_hidden_colours_do_not_bleed_into_a_scaled_edge(side: int) -> None:
    (layer,) = pasted([disc()], [Placement(x=0, y=0, width=side, height=side, depth=0)]).layers

    assert layer.rgb.shape == (side, side, 3)
    contribution = np.abs(layer.rgb.astype(int) - (200, 40, 30)) * layer.alpha[..., None]
    assert contribution.max() <= 2


@pytest.mark.parametrize("side", [90, 60, 31])
def test_scaling_keeps_the_mean_alpha(side: int) -> None:
    rgba = disc()
    (layer,) = pasted([rgba], [Placement(x=0, y=0, width=side, height=side, depth=0)]).layers

    assert layer.alpha.mean() == pytest.approx(rgba[..., 3].mean() / 255, rel=0.02)
    assert layer.alpha.max() <= 1


def test_layers_are_ordered_far_to_near_and_keep_their_index() -> None:
    places = [Placement(x=40 * i, y=10, width=80, height=80, depth=depth) for i, depth in enumerate((0.1, 0.5, 0.0))]

    assert [layer.index for layer in pasted([disc()] * 3, places).layers] == [1, 0, 2]


def test_pixels_that_two_objects_cover_belong_to_the_nearer_one() -> None:
    far = Placement(x=20, y=50, width=100, height=100, depth=0.5)
    near = Placement(x=70, y=60, width=100, height=100, depth=0.1)

    canvas = pasted([disc(), disc()], [far, near])

    assert canvas.mask[105, 100] == 2
    assert canvas.mask[100, 40] == 1
    assert canvas.mask[5, 5] == 0


@pytest.mark.parametrize("seed", range(20))
def test_boxes_and_visible_fractions_match_the_mask(seed: int) -> None:
    rng = np.random.default_rng(seed)
    count = int(rng.integers(1, 6))
    sides = rng.integers(40, 110, count)
    places = [
        Placement(x=int(rng.integers(0, SIZE - s)), y=int(rng.integers(0, SIZE - s)), width=s, height=s, depth=d)
        for s, d in zip(sides.tolist(), rng.random(count).tolist(), strict=True)
    ]

    (canvas,) = paste([layout([disc() for _ in places], places)])

    if isinstance(canvas, Rejected):
        return
    for index, (x, y, width, height) in enumerate(canvas.boxes):
        rows, columns = np.nonzero(canvas.mask == index + 1)
        assert (x, y, x + width, y + height) == (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
        (layer,) = (layer for layer in canvas.layers if layer.index == index)
        assert canvas.visible[index] == rows.size / (layer.alpha >= 0.5).sum()
        assert 0 < canvas.visible[index] <= 1
    assert canvas.visible[canvas.layers[-1].index] == 1


def test_scene_with_a_hidden_object_is_rejected_and_the_next_is_not() -> None:
    small = Placement(x=80, y=80, width=30, height=30, depth=1)
    large = Placement(x=40, y=40, width=120, height=120, depth=0)

    hidden, fine = paste([layout([disc()] * 2, [small, large]), layout([disc()], [small])])

    assert hidden == Rejected(sample_id="sample", stage="paste", reason="no pixel of thing0 is visible")
    assert isinstance(fine, Canvas)


def test_pixel_belongs_to_the_layer_that_contributes_at_least_half_of_it() -> None:
    def sheet(index: int, alpha: float) -> Layer:
        return Layer(index=index, x=0, y=0, rgb=np.zeros((1, 1, 3), np.uint8), alpha=np.full((1, 1), alpha, np.float32))

    def owner(*layers: Layer) -> int:
        return int(visible_mask(layers, Size(1, 1))[0, 0])

    assert owner(sheet(0, 1.0), sheet(1, 0.4)) == 1
    assert owner(sheet(0, 0.8), sheet(1, 0.4)) == 0
    assert owner(sheet(0, 1.0), sheet(1, 0.5)) == 2
    assert owner(sheet(0, 1.0), sheet(1, 0.4), sheet(2, 0.4)) == 0


def test_pasting_the_same_cutout_again_gives_the_same_pixels() -> None:
    place = [Placement(x=3, y=4, width=77, height=77, depth=0)]
    rgba = disc()
    first = pasted([rgba], place)
    for _ in range(100):
        pasted([disc()], place)

    again = pasted([rgba.copy()], place)

    np.testing.assert_array_equal(first.layers[0].rgb, again.layers[0].rgb)
    np.testing.assert_array_equal(first.layers[0].alpha, again.layers[0].alpha)


def test_of_two_objects_at_one_depth_the_first_is_in_front() -> None:
    place = Placement(x=40, y=40, width=100, height=100, depth=0.2)
    beside = Placement(x=80, y=40, width=100, height=100, depth=0.2)

    canvas = pasted([disc(), disc()], [place, beside])

    assert [layer.index for layer in canvas.layers] == [1, 0]
    assert canvas.visible[0] == 1.0 > canvas.visible[1]
